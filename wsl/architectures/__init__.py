"""What a row of weights means: names, shapes, functions and symmetries of a network."""

from ._architecture import Architecture

__all__ = ["Architecture"]
