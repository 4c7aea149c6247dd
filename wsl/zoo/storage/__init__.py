"""Zoos in files: the manifest, the file of weights, and formats of other software."""
