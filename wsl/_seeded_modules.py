"""Torch layers whose initial weights and dropout masks come from a generator that is passed in.

Torch's own layers draw from the global generator, which threads share.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

from ._interrupts import interrupts_wait
from .exceptions import UnsupportedModuleError

Module = TypeVar("Module", bound=nn.Module)


def seeded_module(make: Callable[[], Module], generator: torch.Generator) -> Module:
    """Return the float32 module that ``make`` builds, initialised from a generator on CPU.

    Its weights have torch's own initial distributions. Modules of torch that ``make`` combines may
    be any of those that ``reset_parameters`` knows.
    """
    with interrupts_wait():  # torch loads modules of its own for this
        with torch.device("meta"):  # where nothing is drawn
            module = make()
        module = module.to_empty(device="cpu").float()
    reset_parameters(module, generator)
    return module


@torch.no_grad()
def reset_parameters(module: nn.Module, generator: torch.Generator) -> None:
    """Draw the parameters of a module and its children, as torch's constructors do."""
    for child in module.children():
        reset_parameters(child, generator)
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
        if module.bias is not None:
            bound = module.in_features**-0.5
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, generator=generator)
    elif isinstance(module, nn.MultiheadAttention) and module.in_proj_weight is not None:
        nn.init.xavier_uniform_(module.in_proj_weight, generator=generator)
        nn.init.zeros_(module.in_proj_bias)
        nn.init.zeros_(module.out_proj.bias)
    elif isinstance(module, nn.LayerNorm | nn.BatchNorm1d):
        module.reset_parameters()  # constants
    elif list(module.parameters(recurse=False)):
        raise UnsupportedModuleError(
            f"no rule draws the initial weights of a {type(module).__name__} from a generator."
        )


class SeededDropout(nn.Module):
    """Dropout whose masks come from a generator.

    Parameters
    ----------
    p : float
        Probability of dropping a value.
    generator : torch.Generator
        Draws the masks; on another device one of the same seed does.
    """

    def __init__(self, p: float, generator: torch.Generator):
        super().__init__()
        self.p, self.generator = p, generator

    def forward(self, values: Tensor) -> Tensor:
        """Drop values in training; return them unchanged in evaluation mode."""
        if not self.training or self.p == 0:
            return values
        if self.generator.device != values.device:
            seed = self.generator.initial_seed()
            self.generator = torch.Generator(values.device).manual_seed(seed)
        mask = torch.empty_like(values).bernoulli_(1 - self.p, generator=self.generator)
        return values * mask.div_(1 - self.p)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows."""
        return f"p={self.p}"
