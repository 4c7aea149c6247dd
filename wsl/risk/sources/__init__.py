"""Decomposing the advantage of an attack into sources of leakage, by intervention."""
