"""Small real data that ships with the package, and zoos that are trained on first use."""

from ._census_income import load_census_income
from ._census_zoo import load_census_zoo
from ._digits_zoo import load_digits_zoo
from ._mnist_zoo import load_mnist_zoo

__all__ = ["load_census_income", "load_census_zoo", "load_digits_zoo", "load_mnist_zoo"]
