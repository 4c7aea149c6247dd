"""An autoencoder of trained networks: embed, rebuild and generate rows of weights."""

from ._estimator import WeightSpaceAutoencoder

__all__ = ["WeightSpaceAutoencoder"]
