"""The transformer around the closed-form code: losses, training, checkpoints."""
