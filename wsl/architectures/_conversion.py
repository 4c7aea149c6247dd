"""Models to rows of weights: modules, state dicts and fitted scikit-learn models, and these back.

Everything that computes lives elsewhere.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import build_mlp

ACTIVATIONS = {
    "relu": "relu",
    "tanh": "tanh",
    "logistic": "sigmoid",
    "identity": "identity",
}


def flatten_model(
    model: Any, names: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """Return one model's weights as a float32 row, in the order of ``names``.

    Raises InvalidInputError, naming the parameter that is missing, left over or misshapen.
    """
    tensors = named_tensors(model, names)
    missing = [name for name in names if name not in tensors]
    extra = [name for name in tensors if name not in set(names)]
    if missing or extra:
        raise InvalidInputError(
            f"the parameters do not fit the architecture: missing {missing}, left over {extra}"
        )
    parts = []
    for name, shape in zip(names, shapes, strict=True):
        values = np.asarray(tensors[name], dtype=np.float32)
        if values.shape != tuple(shape):
            raise InvalidInputError(
                f"weights {name!r} has shape {values.shape}, the architecture takes {tuple(shape)}"
            )
        parts.append(values.ravel())
    return np.concatenate(parts)


def named_tensors(model: Any, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return a model's parameters and running statistics by name as numpy arrays."""
    if isinstance(model, nn.Module):
        kept = [(name, buffer) for name, buffer in model.named_buffers() if name in set(names)]
        return {name: _to_numpy(value) for name, value in (*model.named_parameters(), *kept)}
    if isinstance(model, Mapping):
        counters = ".num_batches_tracked"
        return {
            name: _to_numpy(value)
            for name, value in model.items()
            if not f".{name}".endswith(counters)
        }
    layers = sklearn_layers(model)
    arrays = [array for layer in layers for array in layer]
    if len(arrays) != len(names):
        raise InvalidInputError(
            f"a {type(model).__name__} of {len(layers)} layers has {len(arrays)} arrays of "
            f"weights, the architecture takes {len(names)}"
        )
    return dict(zip(names, arrays, strict=True))


def _to_numpy(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def sklearn_layers(model: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return ``(weight (out, in), bias (out,))`` of each layer of a fitted MLP or linear model.

    Raises UnsupportedModuleError if the model holds no such weights.
    """
    if hasattr(model, "coefs_") and hasattr(model, "intercepts_"):
        return [(w.T, b) for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
    centred = hasattr(model, "support_") or hasattr(
        model, "_x_mean"
    )  # SVM and PLS: more than these
    if hasattr(model, "coef_") and hasattr(model, "intercept_") and not centred:
        weight = np.atleast_2d(_to_numpy(model.coef_))
        return [(weight, np.broadcast_to(model.intercept_, weight.shape[0]))]
    raise UnsupportedModuleError(
        f"a {type(model).__name__} holds no known weights; wanted an nn.Module, a state dict, or a "
        "fitted scikit-learn MLP or linear model"
    )


def sklearn_module(model: Any) -> nn.Sequential:
    """Return the template module of a fitted scikit-learn MLP or linear model."""
    shapes = [weight.shape for weight, _ in sklearn_layers(model)]
    activation = ACTIVATIONS[getattr(model, "activation", "identity")]
    return build_mlp(shapes[0][1], [out for out, _ in shapes[:-1]], shapes[-1][0], activation)


def sklearn_model(like: Any, arrays: Sequence[np.ndarray]) -> Any:
    """Return a copy of a fitted scikit-learn model that holds other weights.

    ``arrays`` are weight ``(out, in)`` and bias ``(out,)`` of each layer, shaped as its own are.
    """
    model = copy.deepcopy(like)
    weights, biases = arrays[::2], arrays[1::2]
    if hasattr(like, "coefs_"):
        dtype = like.coefs_[0].dtype
        model.coefs_ = [np.array(weight.T, dtype=dtype, order="C") for weight in weights]
        model.intercepts_ = [bias.astype(dtype) for bias in biases]
        return model
    dtype = like.coef_.dtype
    model.coef_ = weights[0].reshape(like.coef_.shape).astype(dtype)
    bias = biases[0].astype(dtype)
    is_number = np.ndim(like.intercept_) == 0 and len(bias) == 1
    model.intercept_ = bias[0] if is_number else bias
    return model
