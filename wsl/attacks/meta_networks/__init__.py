"""Networks that read the weights of networks: DeepSets and learned probes."""
