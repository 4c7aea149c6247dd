"""Populations of models: training them together, holding them, storing them."""

from ._train import train_zoo
from ._zoo import ModelZoo

__all__ = ["ModelZoo", "train_zoo"]
