"""Embedding, rebuilding and generating networks from rows of weights."""

from ._estimator import WeightSpaceAutoencoder

__all__ = ["WeightSpaceAutoencoder"]
