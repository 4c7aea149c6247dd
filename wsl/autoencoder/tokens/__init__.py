"""Rows of weights as tokens: layout, order of units, normalization."""
