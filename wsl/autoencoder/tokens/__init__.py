"""Rows of weights as sequences of tokens: unit order, normalization, data sets."""
