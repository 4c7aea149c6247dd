"""Penalties on differences between environments, each for a batch of models, and their names."""

from collections.abc import Callable

from torch import Tensor

from ._causal_dantzig import causal_dantzig_penalty
from ._coral import coral_penalty
from ._fishr import fishr_penalty
from ._group_dro import group_dro_penalty
from ._irm import irm_penalty, irm_unbiased_penalty
from ._vrex import vrex_penalty

PENALTIES: dict[str, Callable[..., Tensor]] = {
    "irm": irm_penalty,
    "irm_unbiased": irm_unbiased_penalty,
    "vrex": vrex_penalty,
    "group_dro": group_dro_penalty,
    "causal_dantzig": causal_dantzig_penalty,
    "coral": coral_penalty,
    "fishr": fishr_penalty,
}
