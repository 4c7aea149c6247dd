"""The network around the closed-form code: transformers, objective, training, checkpoints."""
