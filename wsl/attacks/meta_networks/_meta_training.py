"""How a meta-network is trained: skorch's loop over batches that are cut as whole tensors.

What it is trained on, and what its outputs mean, lives in ``_deepsets``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler, PrintLog
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from ... import _batches
from ..._batches import map_rows
from ..._random import torch_generator
from ..._threads import one_thread
from ..._validation import owned_tensor
from ._deepsets_network import MetaNetwork

SETTLE_ROWS = 1024
Prepare = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class MetaTrainingConfig:
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
    batch normalisation could make nothing. Rows may be an array that is larger than memory, which
    ``prepare`` makes ready batch by batch.
    """

    def __init__(
        self,
        dataset,
        batch_size: int,
        generator: torch.Generator | None = None,
        prepare: Prepare | None = None,
    ):
        self.dataset = dataset
        self.generator = generator
        self.prepare = prepare
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
            yield read(rows, batch, self.prepare), targets[batch.to(targets.device)]


def read(rows: np.ndarray | Tensor, indices: Tensor | slice, prepare: Prepare | None) -> Tensor:
    """Return some rows of a tensor, or some rows of an array as a tensor that is made ready."""
    if isinstance(rows, Tensor):
        return rows[indices]
    tensor = owned_tensor(rows[indices])
    return tensor if prepare is None else prepare(tensor)


def keep(rows: np.ndarray, prepare: Prepare, device: torch.device) -> np.ndarray | Tensor:
    """Make rows ready once and for all where they take at most ``CACHE_BYTES``; else leave them."""
    if rows.nbytes > _batches.CACHE_BYTES:
        return rows
    kept = torch.empty(rows.shape, device=device)
    for part in _batches.row_slices(len(rows), rows[:1].nbytes):
        kept[part] = prepare(owned_tensor(rows[part]))
    return kept


class FlatAdam(torch.optim.Adam):
    """Adam on one vector of which all parameters are views: they are small and many."""

    def __init__(self, groups, **settings):
        params = [parameter for group in groups for parameter in group["params"]]
        flat = torch.cat([parameter.detach().flatten() for parameter in params])
        flat.grad = torch.zeros_like(flat)
        for parameter, part, grad in zip(
            params, *(v.split([p.numel() for p in params]) for v in (flat, flat.grad)), strict=True
        ):
            parameter.data = part.view_as(parameter)
            parameter.grad = grad.view_as(parameter)
        super().__init__([flat], fused=True, **settings)

    def zero_grad(self, set_to_none: bool = False) -> None:
        """Fill the gradient with zeros: the parameters keep their views of it."""
        self.param_groups[0]["params"][0].grad.zero_()


class _Net(NeuralNet):
    """skorch's net with a training step that does nothing but train.

    Batches come as tensors of the right kind and device: of a step of a millisecond, checking them
    and setting every module to training each time were a tenth.
    """

    def on_epoch_begin(self, net, **kwargs):
        super().on_epoch_begin(net, **kwargs)
        self.module_.train()

    def train_step(self, batch, **fit_params):
        rows, targets = batch
        self.optimizer_.zero_grad()
        predicted = self.module_(rows)
        loss = self.criterion_(predicted, targets)
        loss.backward()
        self.optimizer_.step()
        return {"loss": loss, "y_pred": predicted}


def train(
    network: MetaNetwork,
    rows: np.ndarray,
    targets: Tensor,
    loss: type[nn.Module],
    settings: MetaTrainingConfig,
    rng: np.random.Generator,
) -> NeuralNet:
    """Train ``network`` on ``rows (n_models, n_weights)`` and return the net on CPU, for inference.

    ``targets (n_models, ...)`` lie on the device of the training.
    The learning rate follows one cycle, up to ``learning_rate`` and down to nothing (Smith and
    Topin 2018): with a few hundred shadow models there are a few hundred steps in all.
    """
    network.to(targets.device)
    n_steps = settings.epochs * len(RowBatches(rows, settings.batch_size))
    cycle = LRScheduler(
        OneCycleLR,
        max_lr=settings.learning_rate,
        total_steps=n_steps + 1,
        step_every="batch",
        event_name=None,
    )
    net = _Net(
        network,
        criterion=loss,
        optimizer=FlatAdam,
        optimizer__weight_decay=settings.weight_decay,
        lr=settings.learning_rate,
        max_epochs=settings.epochs,
        batch_size=settings.batch_size,
        iterator_train=RowBatches,
        iterator_train__generator=torch_generator(rng),
        iterator_train__prepare=network.prepare,
        train_split=None,
        callbacks=[("cycle", cycle)],
        callbacks__valid_loss=None,
        callbacks__epoch_timer=None,
        callbacks__print_log=PrintLog() if settings.verbose else None,
        device=str(targets.device),
        verbose=settings.verbose,
    )
    with one_thread():
        inputs = keep(rows, network.prepare, targets.device)
        net.fit(inputs, targets)
        settle_norms(net.module_, inputs)
    return _at_rest(net)


@torch.no_grad()
def settle_norms(network: MetaNetwork, rows: np.ndarray | Tensor) -> None:
    """Give every batch normalisation the mean and variance of all ``rows`` under the final weights.

    The running averages of a short training still remember its first steps. Rows are prepared if
    they are a tensor.
    """
    network.eval()
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    for batch in _even_slices(len(rows), network.model_bytes):
        network(read(rows, batch, network.prepare))
    network.eval()


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
    net.module_.zero_grad(set_to_none=True)
    net.module_.to("cpu").double()
    net.optimizer_.state.clear()
    net.optimizer_.param_groups.clear()
    net.device = "cpu"
    return net


def outputs(net: NeuralNet, rows: np.ndarray) -> np.ndarray:
    """Return what a trained net says of ``rows``: ``(n_models, n_outputs)`` float64."""
    network = net.module_

    @torch.no_grad()
    def run(batch: np.ndarray) -> np.ndarray:
        return network(network.prepare(owned_tensor(batch, torch.float64))).numpy()

    with one_thread():
        return map_rows(run, rows, 2 * network.model_bytes)
