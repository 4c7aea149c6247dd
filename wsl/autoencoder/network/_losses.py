"""The losses of the autoencoder, as functions of tensors.

How they are weighed and when they are drawn lives in ``_objective``.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

DISTILLATION_TEMPERATURE = 2.0


def structural_loss(rebuilt: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
    r"""Masked mean squared error of the weights.

    .. math:: L_S = \frac{1}{\sum m} \sum m (\hat w - w)^2

    Parameters
    ----------
    rebuilt, tokens : Tensor ``(n_models, n_tokens, token_size)``
    mask : Tensor ``(n_tokens, token_size)`` bool, False where a place is padding
    """
    return (rebuilt - tokens)[:, mask].square().mean()


def contrastive_loss(view: Tensor, other: Tensor, temperature: float) -> Tensor:
    r"""NT-Xent between two views of each model (Chen et al. 2020).

    .. math:: L_C = -\frac{1}{2B} \sum_i \log
        \frac{\exp(s_{i,p(i)} / \tau)}{\sum_{k \ne i} \exp(s_{ik} / \tau)}

    with :math:`s` the cosine similarity and :math:`p(i)` the other view of the same model.

    Parameters
    ----------
    view, other : Tensor ``(n_models, n_features)``
    temperature : float
        :math:`\tau`.
    """
    n_models = len(view)
    features = nn.functional.normalize(torch.cat([view, other]), dim=1)
    similarity = features @ features.T / temperature
    similarity.fill_diagonal_(float("-inf"))
    partner = torch.arange(2 * n_models, device=view.device).roll(n_models)
    return nn.functional.cross_entropy(similarity, partner)


def cycle_loss(again: Tensor, latents: Tensor) -> Tensor:
    r"""Mean squared distance between latents and those of the rebuilt model, :math:`E(D(z))`.

    Parameters
    ----------
    again, latents : Tensor ``(n_models, n_latents)``
    """
    return (again - latents).square().mean()


def behavior(outputs: Tensor) -> Tensor:
    """Return softmax outputs; a network with one output is taken as it stands."""
    return outputs if outputs.shape[-1] == 1 else outputs.softmax(-1)


def as_they_stand(outputs: Tensor) -> Tensor:
    """Return outputs unchanged: the predictions of a regression."""
    return outputs


def l2_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Squared distance of softmax outputs, :math:`\|\sigma(\hat f) - \sigma(f)\|^2`.

    One output is taken as it stands.

    Parameters
    ----------
    rebuilt, original : Tensor ``(n_models, n_queries, n_outputs)``, logits
    """
    return (behavior(rebuilt) - behavior(original)).square().sum(-1).mean()


def squared_error_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Squared distance of outputs as they stand, :math:`\|\hat f - f\|^2`: regression."""
    return (rebuilt - original).square().sum(-1).mean()


def cross_entropy_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Cross-entropy, :math:`-\sum_c \sigma(f)_c \log \sigma(\hat f)_c`.

    One output is a binary logit.
    """
    rebuilt, original = two_class_logits(rebuilt), two_class_logits(original)
    return -(original.softmax(-1) * rebuilt.log_softmax(-1)).sum(-1).mean()


def distillation_loss(rebuilt: Tensor, original: Tensor) -> Tensor:
    r"""Knowledge distillation, :math:`T^2 KL(\sigma(f / T) \| \sigma(\hat f / T))` with T = 2."""
    temperature = DISTILLATION_TEMPERATURE
    target = (two_class_logits(original) / temperature).log_softmax(-1)
    given = (two_class_logits(rebuilt) / temperature).log_softmax(-1)
    return temperature**2 * (target.exp() * (target - given)).sum(-1).mean()


def two_class_logits(outputs: Tensor) -> Tensor:
    """Return logits of two classes where a network has one output, ``(0, f)``."""
    if outputs.shape[-1] > 1:
        return outputs
    return torch.cat([torch.zeros_like(outputs), outputs], dim=-1)


def seen_outputs(behavioral_loss: str) -> Callable[[Tensor], Tensor]:
    """Return what a behavioral loss compares, as a function of the outputs."""
    return as_they_stand if behavioral_loss == "squared_error" else behavior


BEHAVIORAL_LOSSES = {
    "l2": l2_loss,
    "squared_error": squared_error_loss,
    "cross_entropy": cross_entropy_loss,
    "distillation": distillation_loss,
}
