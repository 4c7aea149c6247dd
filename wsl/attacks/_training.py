"""How a DeepSets network is trained: skorch's loop over batches that are cut as whole tensors.

What it is trained on, and what its outputs mean, lives in ``_deepsets``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from .. import _batches
from .._batches import map_rows
from .._random import torch_generator
from .._validation import owned_tensor
from ._network import UnitEncoder

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
    """Iterate over a data set in batches, as a DataLoader does, but take each in one piece.

    A DataLoader collates sample by sample, which for rows of weights takes longer than the training
    step. Batches are of equal size to one row, so that none is left with a single model, of which
    batch normalisation could make nothing. Rows may be an array that is larger than memory.
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
        if isinstance(rows, Tensor):
            order = order.to(rows.device)
        for batch in order.tensor_split(self.n_batches):
            yield read(rows, batch), torch.zeros(()) if targets is None else read(targets, batch)


def read(values: np.ndarray | Tensor, indices: Tensor | slice) -> Tensor:
    """Return some rows of a tensor, or some rows of an array as a tensor with its own memory."""
    return values[indices] if isinstance(values, Tensor) else owned_tensor(values[indices])


def keep(rows: np.ndarray, device: torch.device) -> np.ndarray | Tensor:
    """Copy rows to the device where they take at most ``CACHE_BYTES``; else leave them."""
    return owned_tensor(rows).to(device) if rows.nbytes <= _batches.CACHE_BYTES else rows


def train(
    network: nn.Module,
    rows: np.ndarray,
    targets: Tensor,
    loss: type[nn.Module],
    settings: TrainingSettings,
    rng: np.random.Generator,
) -> NeuralNet:
    """Train ``network`` on ``rows (n_models, n_weights)`` and return the net on CPU, for inference.

    ``targets (n_models, ...)`` lie on the device of the training.
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
        device=str(targets.device),
        verbose=settings.verbose,
    )
    inputs = keep(rows, targets.device)
    with threadpool_limits(1):  # products this small lose more to waiting threads than they gain
        net.fit(inputs, targets)
        settle_norms(net.module_, inputs, targets.device)
    return _at_rest(net)


@torch.no_grad()
def settle_norms(
    network: nn.Module, rows: np.ndarray | Tensor, device: torch.device | str = "cpu"
) -> None:
    """Give every batch normalisation the mean and variance of all ``rows`` under the final weights.

    The running averages of a short training still remember its first steps.
    """
    network.eval()
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    for batch in _even_slices(len(rows), model_bytes(network, rows.shape[1])):
        network(read(rows, batch).to(device))
    network.eval()


def model_bytes(network: nn.Module, n_weights: int) -> int:
    """Return what one model takes in a pass: its row, and the hidden layer of each of its units."""
    encoders = [part for part in network.modules() if isinstance(part, UnitEncoder)]
    hidden = sum(part.layer.n_units * part.enter.out_features for part in encoders)
    return 4 * (n_weights + hidden)


def _even_slices(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Cut rows into slices of equal length to one row, of ``SETTLE_ROWS`` or a few more at most."""
    by_bytes = -(-n_rows * row_bytes // _batches.BATCH_BYTES)
    n_slices = max(1, min(max(n_rows // SETTLE_ROWS, by_bytes), n_rows // 2))
    least, longer = divmod(n_rows, n_slices)
    edges = [i * least + min(i, longer) for i in range(n_slices + 1)]
    return (slice(start, stop) for start, stop in pairwise(edges))


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

    def run(batch: np.ndarray) -> np.ndarray:
        return net.forward(torch.tensor(batch, dtype=torch.float64), training=False).numpy()

    with threadpool_limits(1):
        return map_rows(run, rows, 2 * model_bytes(net.module_, rows.shape[1]))
