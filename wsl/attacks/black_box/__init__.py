"""Attacks on the responses of models to queries."""
