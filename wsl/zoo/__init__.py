"""Populations of models: training them together, holding them, storing them."""

from ._groups import train_zoos
from ._train import train_zoo
from ._zoo import ModelZoo

__all__ = ["ModelZoo", "train_zoo", "train_zoos"]
