"""Populations of models: training them together, holding, storing and reading them."""

from ._read import read_zoo
from ._train import train_zoo
from ._train_zoos import train_zoos
from ._zoo import ModelZoo

__all__ = ["ModelZoo", "read_zoo", "train_zoo", "train_zoos"]
