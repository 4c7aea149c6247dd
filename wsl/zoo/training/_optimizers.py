"""Optimizers of one flat tensor, whose learning rate and weight decay differ between weights.

Each follows the update of its namesake in ``torch.optim``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Optimizer:
    """An optimizer and its state; every tensor is as long as the weights, ``(n,)``.

    ``step`` changes the weights in place, and may change the gradient.
    """

    learning_rate: Tensor
    weight_decay: Tensor
    _decays: bool = field(init=False)

    def __post_init__(self) -> None:
        self._decays = bool(self.weight_decay.any())

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Update ``weights`` once."""
        raise NotImplementedError

    def select(self, take: Callable[[Tensor], Tensor]) -> None:
        """Replace each tensor of the state by the part of it that ``take`` returns."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, take(value))

    def _add_decay(self, weights: Tensor, gradient: Tensor) -> None:
        if self._decays:
            gradient.addcmul_(self.weight_decay, weights)


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent; weight decay is added to the gradient."""

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Update ``weights`` once."""
        self._add_decay(weights, gradient)
        weights.addcmul_(self.learning_rate, gradient, value=-1)


@dataclass
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    n_steps: int = 0
    mean: Tensor = field(init=False)
    square: Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mean = torch.zeros_like(self.learning_rate)
        self.square = torch.zeros_like(self.learning_rate)

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Update ``weights`` once."""
        self._decay(weights, gradient)
        self.n_steps += 1
        self.mean.lerp_(gradient, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        # m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps), both corrections in one factor
        root = (1 - self.beta2**self.n_steps) ** 0.5
        denominator = torch.sqrt(self.square, out=gradient).add_(self.eps * root)
        change = torch.mul(self.mean, self.learning_rate)
        weights.addcdiv_(change, denominator, value=-root / (1 - self.beta1**self.n_steps))

    def _decay(self, weights: Tensor, gradient: Tensor) -> None:
        self._add_decay(weights, gradient)


@dataclass
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def _decay(self, weights: Tensor, gradient: Tensor) -> None:
        if self._decays:
            weights.mul_(1 - self.learning_rate * self.weight_decay)


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
