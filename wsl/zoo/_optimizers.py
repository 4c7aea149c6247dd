"""Optimisers whose learning rate and weight decay differ from model to model.

Plain torch on rows of weights; each follows the update of its namesake in ``torch.optim``.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Optimizer:
    """The state of one optimiser over a batch of models.

    ``learning_rate`` and ``weight_decay`` are ``(n_models, 1)``; ``step`` changes ``weights``,
    ``(n_models, n_weights)``, in place.
    """

    learning_rate: Tensor
    weight_decay: Tensor

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Move ``weights`` by one update."""
        raise NotImplementedError

    def select(self, kept: Tensor) -> None:
        """Keep the state of the models in ``kept`` only."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value[kept])


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent; weight decay is added to the gradient."""

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Move ``weights`` by one update."""
        gradient.addcmul_(self.weight_decay, weights)
        weights.addcmul_(self.learning_rate, gradient, value=-1)


@dataclass
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015); weight decay is added to the gradient."""

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    n_steps: int = 0
    mean: Tensor = field(default_factory=lambda: torch.tensor(0.0))
    square: Tensor = field(default_factory=lambda: torch.tensor(0.0))

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Move ``weights`` by one update."""
        self._decay(weights, gradient)
        if self.n_steps == 0:
            self.mean, self.square = torch.zeros_like(weights), torch.zeros_like(weights)
        self.n_steps += 1
        self.mean.lerp_(gradient, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        scale = (1 - self.beta2**self.n_steps) ** -0.5
        denominator = self.square.sqrt().mul_(scale).add_(self.eps)
        rate = self.learning_rate / (1 - self.beta1**self.n_steps)
        weights.addcdiv_(self.mean * rate, denominator, value=-1)

    def _decay(self, weights: Tensor, gradient: Tensor) -> None:
        gradient.addcmul_(self.weight_decay, weights)


@dataclass
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def _decay(self, weights: Tensor, gradient: Tensor) -> None:
        weights.mul_(1 - self.learning_rate * self.weight_decay)


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adamw": AdamW, "sgd": SGD}
