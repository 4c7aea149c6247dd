"""Populations of models: training them together, holding, storing and reading them."""

from ._groups import train_zoos
from ._read import read_zoo
from ._train import train_zoo
from ._zoo import ModelZoo

__all__ = ["ModelZoo", "read_zoo", "train_zoo", "train_zoos"]
