"""Searching for learners with good utility and little leakage."""
