"""Refining the latents of given models and sampling new ones."""
