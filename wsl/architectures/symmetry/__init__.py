"""Permutation symmetries of hidden units: finding, applying and matching them."""
