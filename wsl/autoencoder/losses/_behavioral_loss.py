"""How far the outputs of rebuilt models are from those of the originals, on queries."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...architectures import Architecture
from ..tokens._normalization import Scaling
from ._losses import BEHAVIORAL_LOSSES, compared_outputs
from ._query_sets import QuerySets

N_DRAWS = 4
GRADIENT_ROWS = 64
GRADIENT_BYTES = 256 * 2**20


class BehavioralLoss(nn.Module):
    """A behavioral loss of normalized rows ``(n_models, n_weights)``.

    Parameters
    ----------
    architecture : Architecture
        Runs the models.
    scaling : Scaling
        Leads from normalized rows to weights.
    queries : QuerySets
        Inputs of the models.
    loss : str
        A key of ``BEHAVIORAL_LOSSES``.
    n_queries : int
        Queries per training step.
    generator : torch.Generator
        On CPU; draws the queries of a step and the projections of gradients.
    """

    def __init__(
        self,
        architecture: Architecture,
        scaling: Scaling,
        queries: QuerySets,
        loss: str,
        n_queries: int,
        generator: torch.Generator,
    ):
        super().__init__()
        self.architecture, self.scaling, self.queries = architecture, scaling, queries
        self.loss, self.n_queries, self.generator = loss, n_queries, generator

    def forward(self, rebuilt: Tensor, rows: Tensor, step: int | None = None) -> Tensor:
        """Return the loss of rebuilt rows on queries drawn at random, or those of a step."""
        if step is None:
            queries = self.queries.draw(self.n_queries, self.generator)
        else:
            queries = self.queries.pick(self.n_queries, step)
        return self._on(queries, rebuilt, rows)

    def of_mean(self, rows: Tensor) -> Tensor:
        """Return the loss of rebuilding every row as the mean of the zoo, on few queries."""
        with torch.no_grad():
            return self._on(self.few(), torch.zeros_like(rows), rows)

    def against(self, rows: Tensor) -> Callable[[Tensor], float]:
        """Return the loss on few queries as a function of rebuilt rows.

        The original models are run once.
        """
        queries = self.few(step=1)
        original = self._outputs(rows, queries)

        def loss(rebuilt: Tensor) -> float:
            return float(self._distance(self._outputs(rebuilt, queries), original))

        return loss

    def gradients(
        self, points: Tensor, to_rows: Callable[[Tensor], Tensor] = lambda rows: rows
    ) -> Tensor:
        """Return gradients of projected outputs, ``(n_draws * n_models, ...)``.

        They are taken with respect to ``points`` ``(n_models, ...)``, which ``to_rows`` maps to
        normalized rows.
        """
        queries, compared = self.few(), compared_outputs(self.loss)

        def outputs(points: Tensor) -> Tensor:
            return compared(self._outputs(to_rows(points), queries))

        model_bytes = 4 * self.architecture.forward_pass.activation_size * len(queries)
        chunk_models = max(1, min(GRADIENT_ROWS, GRADIENT_BYTES // model_bytes))
        return output_gradients(outputs, points, self.generator, chunk_models)

    def few(self, step: int | None = None) -> Tensor:
        """Return the queries that closed forms look at."""
        return self.queries.few(self.architecture.forward_pass.activation_size, step)

    def _on(self, queries: Tensor, rebuilt: Tensor, rows: Tensor) -> Tensor:
        with torch.no_grad():
            original = self._outputs(rows, queries)
        return self._distance(self._outputs(rebuilt, queries), original)

    def _outputs(self, rows: Tensor, queries: Tensor) -> Tensor:
        return self.architecture.forward(self.scaling.inverse_transform(rows), queries)

    def _distance(self, rebuilt: Tensor, original: Tensor) -> Tensor:
        return BEHAVIORAL_LOSSES[self.loss](rebuilt, original)


def output_gradients(
    outputs: Callable[[Tensor], Tensor],
    points: Tensor,
    generator: torch.Generator,
    chunk_models: int,
    n_draws: int = N_DRAWS,
) -> Tensor:
    """Return gradients of random projections of the outputs, ``(n_draws * n_models, ...)``.

    With ``s`` standard normal and outputs f, the gradient ``g`` of ``s . f(w)`` has
    ``E[g g'] = J'J``: the second-order cost of an error in a point, in squared output.

    Parameters
    ----------
    outputs : callable
        Maps points ``(n_models, ...)`` to outputs ``(n_models, n_queries, n_outputs)``.
    points : Tensor ``(n_models, ...)``
        Where gradients are taken.
    generator : torch.Generator
        Draws the projections.
    chunk_models : int
        Models at a time.
    n_draws : int
        Projections per model.
    """
    gradients = []
    for _ in range(n_draws):
        for chunk in points.split(chunk_models):
            at = chunk.clone().requires_grad_(True)
            values = outputs(at)
            signs = torch.randn(values.shape, generator=generator).to(values)
            gradients.append(torch.autograd.grad((values * signs).sum(), at)[0])
    return torch.cat(gradients)
