"""How a DeepSets network is trained: skorch's loop over batches that are cut as whole tensors.

What it is trained on, and what its outputs mean, lives in ``_deepsets``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from .._random import torch_generator

SETTLE_ROWS = 1024


@dataclass(frozen=True)
class TrainingSettings:
    """What the estimators let a user choose about training."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    verbose: int


class RowBatches:
    """Iterate over a data set in batches, as a DataLoader does, but slice each as one tensor.

    A DataLoader collates sample by sample, which for rows of weights takes longer than the training
    step. Batches are of equal size to one row, so that none is left with a single model, of which
    batch normalisation could make nothing.
    """

    def __init__(self, dataset, batch_size: int, generator: torch.Generator | None = None):
        self.dataset = dataset
        self.generator = generator
        n_rows = len(dataset)
        self.n_batches = max(1, min(-(-n_rows // batch_size), n_rows // 2))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rows, targets = self.dataset.X, self.dataset.y
        n_rows = len(rows)
        if self.generator is None:
            order = torch.arange(n_rows)
        else:
            order = torch.randperm(n_rows, generator=self.generator)
        for batch in order.to(rows.device).tensor_split(self.n_batches):
            yield rows[batch], torch.zeros(()) if targets is None else targets[batch]


def train(
    network: nn.Module,
    rows: Tensor,
    targets: Tensor,
    loss: type[nn.Module],
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> NeuralNet:
    """Train ``network`` on ``rows (n_models, n_weights)`` and return the net on CPU, for inference.

    The learning rate follows one cycle, up to ``learning_rate`` and down to nothing (Smith and
    Topin 2018): with a few hundred shadow models there are a few hundred steps in all.
    """
    n_steps = settings.epochs * len(RowBatches(rows, settings.batch_size))
    cycle = LRScheduler(
        OneCycleLR, max_lr=settings.learning_rate, total_steps=n_steps + 1, step_every="batch"
    )
    net = NeuralNet(
        network,
        criterion=loss,
        optimizer=torch.optim.Adam,
        optimizer__weight_decay=settings.weight_decay,
        optimizer__fused=True,  # one kernel for all parameters: they are small and many
        lr=settings.learning_rate,
        max_epochs=settings.epochs,
        batch_size=settings.batch_size,
        iterator_train=RowBatches,
        iterator_train__generator=torch_generator(rng),
        iterator_valid=RowBatches,
        iterator_valid__batch_size=SETTLE_ROWS,
        train_split=None,
        callbacks=[("cycle", cycle)],
        device=str(rows.device),
        verbose=settings.verbose,
    )
    with threadpool_limits(1):  # products this small lose more to waiting threads than they gain
        net.fit(rows, targets)
        settle_norms(net.module_, rows)
    return _at_rest(net)


@torch.no_grad()
def settle_norms(network: nn.Module, rows: Tensor) -> None:
    """Give every batch normalisation the mean and variance of all ``rows`` under the final weights.

    The running averages of a short training still remember its first steps.
    """
    network.eval()
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    for batch in rows.tensor_split(max(1, len(rows) // SETTLE_ROWS)):
        network(batch)
    network.eval()


def _at_rest(net: NeuralNet) -> NeuralNet:
    """Bring a trained net to CPU and float64, without the state of its optimizer.

    It then loads on a machine without an accelerator, and in float64 the prediction for a model
    does not depend on which others stand in the same batch.
    """
    net.module_.to("cpu").double()
    net.optimizer_.state.clear()
    net.device = "cpu"
    return net


def outputs(net: NeuralNet, rows: np.ndarray) -> np.ndarray:
    """Return what a trained net says of ``rows``: ``(n_models, n_outputs)`` float64."""
    with threadpool_limits(1):
        return net.forward(torch.tensor(rows, dtype=torch.float64), training=False).numpy()
