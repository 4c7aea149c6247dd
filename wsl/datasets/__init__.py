"""Small real data that ships with the package or is built from what scikit-learn ships."""

from ._census import load_census_income
from ._digits_zoo import load_digits_zoo

__all__ = ["load_census_income", "load_digits_zoo"]
