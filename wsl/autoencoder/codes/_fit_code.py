"""Fitting the closed-form code of normalized rows: activation-aware where it can be, or linear."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..._diverged import refuse_overflow
from ..losses._behavioral_loss import N_DRAWS, BehavioralLoss
from ..tokens._dataset import NormalizedRows
from ..tokens._tokens import TokenLayout
from ._activation_aware import ActivationAwareCode, mean_moments
from ._latent_budget import MAX_RATIO, allocate_budget, latent_importance
from ._layerwise_forward import LayerwiseForward
from ._linear import LinearCode, fit_linear_code, second_moments

Rows = TypeVar("Rows", Tensor, np.ndarray)
Code = LinearCode | ActivationAwareCode

CODE_MODELS = 2048  # models that are run on the queries for a closed form
BUDGET_MODELS = 256  # of them, those by which latents are allocated within a layer
TRIAL_MODELS = 64  # of them, those by which latents are allocated among layers


@dataclass(frozen=True)
class CodeConfig:
    """Which code is fitted.

    Parameters
    ----------
    activation_aware : bool
        Whether it is fitted to the responses of units; needs a behavioral loss.
    n_latents : int or sequence of int
        Latent dimensions per model, or of a token of each token group.
    beta : float
        Weight of the structural against the behavioral loss.
    """

    activation_aware: bool
    n_latents: int | Sequence[int]
    beta: float


def fit_code(
    config: CodeConfig,
    layout: TokenLayout,
    rows: NormalizedRows,
    training: np.ndarray,
    behavior: BehavioralLoss | None,
    generator: torch.Generator,
) -> tuple[Code, float]:
    """Return the code of the rows with indices ``training``, and its loss.

    The loss compares activation-aware codes with each other; that of a linear code is 0.
    """
    sampled = sample_indices(training, generator)
    moments = second_moments(rows.batches(training), layout)
    if config.activation_aware:
        assert behavior is not None
        return _fit_activation_aware(config.n_latents, layout, rows, sampled, moments, behavior)
    sensitivity = None
    if behavior is not None:
        batches = rows.batches(sampled, N_DRAWS * rows.row_bytes)
        sensitivity = second_moments(map(behavior.gradients, batches), layout)
        refuse_overflow(all(bool(moment.isfinite().all()) for moment in sensitivity))
    return fit_linear_code(moments, layout, config.n_latents, sensitivity, config.beta), 0.0


def _fit_activation_aware(
    n_latents: int | Sequence[int],
    layout: TokenLayout,
    rows: NormalizedRows,
    sampled: np.ndarray,
    priors: Sequence[Tensor],
    behavior: BehavioralLoss,
) -> tuple[ActivationAwareCode, float]:
    layers = LayerwiseForward(layout, behavior.architecture, behavior.scaling, behavior.few())

    def batches() -> Iterable[Tensor]:
        return map(layout.to_tokens, rows.batches(sampled, layers.model_bytes))

    moments = mean_moments(layers, batches())
    tried = rows.take(every_nth(sampled, BUDGET_MODELS))
    loss = trial_loss(layers, priors, moments, every_nth(tried, TRIAL_MODELS), behavior)
    if isinstance(n_latents, int):
        most = -(-MAX_RATIO * n_latents // layout.n_tokens)
        widest = token_sizes(layout, [most] * len(priors))
        wide = ActivationAwareCode(layers, priors, moments, widest)
        importances = latent_importance(wide, tried, behavior.gradients).split(layout.group_counts)
        caps = [min(most, length) for length in layout.group_lengths]
        importances = [group[:, :cap] for group, cap in zip(importances, caps, strict=True)]
        sizes = allocate_budget(importances, n_latents, loss)
    else:
        sizes = token_sizes(layout, n_latents)
    code = ActivationAwareCode(layers, priors, moments, sizes)
    code.fit_deviations(batches())
    return code, loss(sizes)


def trial_loss(
    layers: LayerwiseForward,
    priors: Sequence[Tensor],
    moments: Sequence[Tensor],
    rows: Tensor,
    behavior: BehavioralLoss,
) -> Callable[[tuple[int, ...]], float]:
    """Return the behavioral loss of codes on ``rows``, as a function of the tokens' latents."""
    tokens = layers.layout.to_tokens(rows)
    responses, loss_of = layers.responses(tokens), behavior.against(rows)

    @cache
    def loss(sizes: tuple[int, ...]) -> float:
        code = ActivationAwareCode(layers, priors, moments, sizes)
        return loss_of(layers.layout.to_rows(code.project(tokens, responses)[1]))

    return loss


def sample_indices(training: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Return the indices ``training``, or ``CODE_MODELS`` drawn from them where there are more.

    Running a model on the queries costs far more than reading it, and some thousand models show
    how outputs depend on weights.
    """
    if len(training) <= CODE_MODELS:
        return training
    return training[torch.randperm(len(training), generator=generator)[:CODE_MODELS].numpy()]


def every_nth(rows: Rows, n_rows: int) -> Rows:
    """Return at most ``n_rows`` rows, or indices of rows, at even distances."""
    return rows[:: -(-len(rows) // n_rows)]


def token_sizes(layout: TokenLayout, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the latents of each token from those per group, at most the token's length."""
    groups = zip(sizes, layout.group_lengths, layout.group_counts, strict=True)
    return tuple(min(size, length) for size, length, count in groups for _ in range(count))
