"""Modules as JSON values and back, without running code."""
