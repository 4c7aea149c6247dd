"""The losses of the autoencoder, and the queries on which models are compared."""
