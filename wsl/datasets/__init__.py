"""Small real data that ships with the package or is built from what scikit-learn ships."""

from ._census import load_census_income

__all__ = ["load_census_income"]
