"""Penalties on what differs between environments, by name.

Each is written once for a batch of models: those on risks and their gradients in ``_irm`` and
``_risks``, those on moments in ``_moments``. How they are weighted is for the training loop.
"""

from collections.abc import Callable

from torch import Tensor

from ._coral import causal_dantzig_penalty, coral_penalty, fishr_penalty
from ._irm import irm_penalty, irm_unbiased_penalty
from ._vrex import group_dro_penalty, vrex_penalty

PENALTIES: dict[str, Callable[..., Tensor]] = {
    "irm": irm_penalty,
    "irm_unbiased": irm_unbiased_penalty,
    "vrex": vrex_penalty,
    "group_dro": group_dro_penalty,
    "causal_dantzig": causal_dantzig_penalty,
    "coral": coral_penalty,
    "fishr": fishr_penalty,
}
