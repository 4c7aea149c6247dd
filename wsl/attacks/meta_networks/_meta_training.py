"""Training a meta-network with skorch on batches that are sliced as whole tensors."""

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
from ..._skorch_net import InterruptibleNet
from ..._threads import one_thread
from ..._torch_defaults import torch_defaults
from ..._validation import owned_tensor
from ._deepsets_network import MetaNetwork

STATISTICS_ROWS = 1024
Prepare = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class MetaTrainingConfig:
    """Training parameters that users choose."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    verbose: int


class RowBatches:
    """Iterate over a data set in batches, like a DataLoader, but slice each batch at once.

    A DataLoader collates sample by sample, which for rows of weights takes longer than the training
    step. Batch sizes differ by at most one, so that no batch has a single model, which batch
    normalisation could not handle. Rows may be an array larger than memory; ``prepare`` is then
    applied batch by batch.
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
            yield read_rows(rows, batch, self.prepare), targets[batch.to(targets.device)]


def read_rows(
    rows: np.ndarray | Tensor, indices: Tensor | slice, prepare: Prepare | None
) -> Tensor:
    """Return rows of a tensor, or prepared rows of an array."""
    if isinstance(rows, Tensor):
        return rows[indices]
    tensor = owned_tensor(rows[indices])
    return tensor if prepare is None else prepare(tensor)


def cache_prepared(rows: np.ndarray, prepare: Prepare, device: torch.device) -> np.ndarray | Tensor:
    """Return all rows prepared if they take at most ``CACHE_BYTES``, otherwise the rows as is."""
    if rows.nbytes > _batches.CACHE_BYTES:
        return rows
    prepared = torch.empty(rows.shape, device=device)
    for part in _batches.row_slices(len(rows), rows[:1].nbytes):
        prepared[part] = prepare(owned_tensor(rows[part]))
    return prepared


class FlatAdam(torch.optim.Adam):
    """Adam on one vector, of which the many small parameters are views."""

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
        """Set the gradient to zero in place, as parameters hold views of it."""
        self.param_groups[0]["params"][0].grad.zero_()


class _Net(InterruptibleNet):
    """A skorch net with a minimal training step.

    Batches are tensors on the right device already; checking them and setting every module to
    training mode took a tenth of a step.
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
    config: MetaTrainingConfig,
    rng: np.random.Generator,
) -> NeuralNet:
    """Train ``network`` on ``rows (n_models, n_weights)`` and return the net on CPU, for inference.

    ``targets (n_models, ...)`` are on the device of the training. The learning rate follows one
    cycle (Smith and Topin 2018), which suits the few hundred steps of a few hundred models.
    """
    network.to(targets.device)
    n_steps = config.epochs * len(RowBatches(rows, config.batch_size))
    cycle = LRScheduler(
        OneCycleLR,
        max_lr=config.learning_rate,
        total_steps=n_steps + 1,
        step_every="batch",
        event_name=None,
    )
    net = _Net(
        network,
        criterion=loss,
        optimizer=FlatAdam,
        optimizer__weight_decay=config.weight_decay,
        lr=config.learning_rate,
        max_epochs=config.epochs,
        batch_size=config.batch_size,
        iterator_train=RowBatches,
        iterator_train__generator=torch_generator(rng),
        iterator_train__prepare=network.prepare,
        train_split=None,
        callbacks=[("cycle", cycle)],
        callbacks__valid_loss=None,
        callbacks__epoch_timer=None,
        callbacks__print_log=PrintLog() if config.verbose else None,
        device=str(targets.device),
        verbose=config.verbose,
    )
    with one_thread():
        inputs = cache_prepared(rows, network.prepare, targets.device)
        net.fit(inputs, targets)
        recompute_norm_statistics(net.module_, inputs)
    return _for_inference(net)


@torch.no_grad()
def recompute_norm_statistics(network: MetaNetwork, rows: np.ndarray | Tensor) -> None:
    """Set the statistics of batch normalisation to those of all ``rows`` at the final weights.

    The running averages of a short training are dominated by its first steps. Rows that are a
    tensor are prepared already.
    """
    network.eval()
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
        norm.train()
    for batch in _even_slices(len(rows), network.model_bytes):
        network(read_rows(rows, batch, network.prepare))
    network.eval()


def _even_slices(n_rows: int, row_bytes: int) -> Iterator[slice]:
    """Cut rows into slices of about ``STATISTICS_ROWS``, whose lengths differ by at most one."""
    by_bytes = -(-n_rows * row_bytes // _batches.BATCH_BYTES)
    n_slices = max(1, min(max(n_rows // STATISTICS_ROWS, by_bytes), n_rows // 2))
    length, n_longer = divmod(n_rows, n_slices)
    edges = [i * length + min(i, n_longer) for i in range(n_slices + 1)]
    return (slice(start, stop) for start, stop in pairwise(edges))


def _for_inference(net: NeuralNet) -> NeuralNet:
    """Move a trained net to CPU and float64, without the state of its optimizer.

    It can then be loaded on a machine without an accelerator, and in float64 the prediction for a
    model does not depend on the other models in its batch.
    """
    net.module_.zero_grad(set_to_none=True)
    net.module_.to("cpu").double()
    net.optimizer_.state.clear()
    net.optimizer_.param_groups.clear()
    net.device = "cpu"
    return net


def outputs(net: NeuralNet, rows: np.ndarray) -> np.ndarray:
    """Return the outputs of a trained net for ``rows``, ``(n_models, n_outputs)`` float64."""
    network = net.module_

    @torch.no_grad()
    def run(batch: np.ndarray) -> np.ndarray:
        return network(network.prepare(owned_tensor(batch, torch.float64))).numpy()

    with one_thread(), torch_defaults():
        return map_rows(run, rows, 2 * network.model_bytes)
