"""Models to rows of weights and back: modules, state dicts and fitted scikit-learn models."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import build_mlp
from ._parameter_layout import ParameterLayout

ACTIVATIONS = {
    "relu": "relu",
    "tanh": "tanh",
    "logistic": "sigmoid",
    "identity": "identity",
}


def flatten_models(models: Iterable[Any], layout: ParameterLayout) -> np.ndarray:
    """Return models as float32 rows ``(n_models, n_weights)``.

    Raises InvalidInputError or UnsupportedModuleError; the model is named by its index.
    """
    rows = []
    for index, model in enumerate(models):
        try:
            rows.append(_flatten_model(model, layout))
        except (InvalidInputError, UnsupportedModuleError) as error:
            raise type(error)(f"models[{index}]: {error}") from error
    if not rows:
        raise InvalidInputError("`models` must hold at least one model; got none.")
    return np.stack(rows)


def _flatten_model(model: Any, layout: ParameterLayout) -> np.ndarray:
    tensors = named_tensors(model, layout.names)
    missing = [name for name in layout.names if name not in tensors]
    unknown = [name for name in tensors if name not in layout.by_name]
    if missing or unknown:
        raise InvalidInputError(
            "the parameters must be those of the architecture; got "
            + " and ".join(
                f"{what} {names}"
                for what, names in (("none called", missing), ("unknown", unknown))
                if names
            )
            + "."
        )
    arrays = []
    for name, shape in layout.by_name.items():
        values = np.asarray(tensors[name], dtype=np.float32)
        if values.shape != shape:
            raise InvalidInputError(f"{name!r} must have shape {shape}; got {values.shape}.")
        arrays.append(values.ravel())
    return np.concatenate(arrays)


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
            f"the model must have {len(names)} arrays of weights, as the architecture has; got a "
            f"{type(model).__name__} with {len(arrays)}."
        )
    return dict(zip(names, arrays, strict=True))


def _to_numpy(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)


def sklearn_layers(model: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weight ``(n_out, n_in)`` and bias ``(n_out,)`` of each layer of a fitted model.

    Raises UnsupportedModuleError if the model holds no such weights.
    """
    if hasattr(model, "coefs_") and hasattr(model, "intercepts_"):
        return [(w.T, b) for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
    # a kernel SVM predicts from more than these two, PLS centers its input
    needs_more = hasattr(model, "support_") or hasattr(model, "_x_mean")
    if hasattr(model, "coef_") and hasattr(model, "intercept_") and not needs_more:
        weight = np.atleast_2d(_to_numpy(model.coef_))
        return [(weight, np.broadcast_to(model.intercept_, weight.shape[0]))]
    raise UnsupportedModuleError(
        "a model must be an nn.Module, a state dict, or a fitted scikit-learn MLP or linear model; "
        f"got a {type(model).__name__}."
    )


def sklearn_module(model: Any) -> nn.Sequential:
    """Return the template module of a fitted scikit-learn MLP or linear model."""
    shapes = [weight.shape for weight, _ in sklearn_layers(model)]
    activation = ACTIVATIONS[getattr(model, "activation", "identity")]
    return build_mlp(shapes[0][1], [out for out, _ in shapes[:-1]], shapes[-1][0], activation)


def sklearn_model(like: Any, arrays: Sequence[np.ndarray]) -> Any:
    """Return a copy of a fitted scikit-learn model that holds other weights.

    ``arrays`` are weight ``(n_out, n_in)`` and bias ``(n_out,)`` of each layer.
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
    is_scalar = np.ndim(like.intercept_) == 0 and len(bias) == 1
    model.intercept_ = bias[0] if is_scalar else bias
    return model
