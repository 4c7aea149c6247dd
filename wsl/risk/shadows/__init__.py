"""Training and observing populations of models."""
