"""Zoos in files: the manifest, the safetensors file, and formats of other projects."""
