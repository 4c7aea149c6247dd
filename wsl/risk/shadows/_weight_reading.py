"""Weights of one fitted model, for white-box attacks."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from ...exceptions import UnsupportedModuleError, WslError

if TYPE_CHECKING:
    from ...architectures import Architecture

SCALERS = (MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler)


def read_weights(model: Any, n_features: int) -> "tuple[np.ndarray, Architecture] | None":
    """Return a fitted model's weights ``(n_weights,)`` and its architecture, or None.

    Linear models, multi-layer perceptrons and torch modules trained by skorch have weights. In a
    Pipeline of scalers and one such model the scalers are folded into the first layer, which then
    takes the raw features; any other Pipeline is a black box.
    """
    scalers, last = _unpack_pipeline(model)
    if last is None or not any(hasattr(last, name) for name in ("coefs_", "coef_", "module_")):
        return None
    try:
        if hasattr(last, "module_"):
            from ...architectures import Architecture  # here: other learners need no torch

            architecture = Architecture(last.module_, input_shape=(n_features,))
            row = architecture.flatten([last.module_])[0]
        else:
            architecture = _architecture_of(last)
            row = architecture.flatten([last])[0]
    except (WslError, ValueError, TypeError, AttributeError, KeyError):
        return None  # not one of these models after all, whatever its attributes
    try:
        return _fold_scalers(row, architecture, scalers), architecture
    except UnsupportedModuleError:
        return None


def _architecture_of(model: Any) -> "Architecture":
    """Return a scikit-learn model's architecture."""
    from ...architectures._conversion import sklearn_layers

    shapes = [weight.shape for weight, _ in sklearn_layers(model)]
    widths = (shapes[0][1], *(n_outputs for n_outputs, _ in shapes))
    return _mlp(widths, getattr(model, "activation", "identity"))


@lru_cache(maxsize=16)
def _mlp(widths: tuple[int, ...], activation: str) -> "Architecture":
    """Return one object for models of one architecture: comparing two takes longer."""
    from ...architectures import Architecture
    from ...architectures._conversion import ACTIVATIONS

    architecture = Architecture.mlp(widths[0], widths[1:-1], widths[-1], ACTIVATIONS[activation])
    hash(architecture)  # computed once, it is pickled with the object
    return architecture


def _unpack_pipeline(model: Any) -> tuple[list[Any], Any]:
    """Return a Pipeline's scalers and its model; the model is None if there are other steps."""
    if not isinstance(model, Pipeline):
        return [], model
    *steps, last = (step for _, step in model.steps if step not in (None, "passthrough"))
    is_affine = all(type(s) in SCALERS and not getattr(s, "clip", False) for s in steps)
    return (steps, last) if is_affine else ([], None)


def _fold_scalers(row: np.ndarray, architecture: "Architecture", scalers: list[Any]) -> np.ndarray:
    """Return the weights that do on raw features what ``row`` does on scaled features."""
    if not scalers:
        return row
    weight_slice, bias_slice = (architecture.slices[name] for name in _first_layer(architecture))
    ends = np.stack([np.zeros(architecture.n_inputs), np.ones(architecture.n_inputs)])
    for scaler in scalers:  # each maps every column affinely, whatever the others are
        ends = _scale(scaler, ends)
    offset, scale = ends[0], ends[1] - ends[0]
    weight = row[weight_slice].reshape(-1, architecture.n_inputs).astype(float)
    folded = row.copy()
    folded[bias_slice] = row[bias_slice] + weight @ offset
    folded[weight_slice] = (weight * scale).ravel()
    return folded


def _scale(scaler: Any, rows: np.ndarray) -> np.ndarray:
    """Return scaled rows as an array, whatever the scaler was fitted on and is set to return."""
    names = getattr(scaler, "feature_names_in_", None)
    return np.asarray(
        scaler.transform(rows if names is None else pd.DataFrame(rows, columns=names))
    )


def _first_layer(architecture: "Architecture") -> tuple[str, str]:
    """Return the names of weight and bias of the linear layer that alone takes the features."""
    from torch import nn

    takers = [step for step in architecture.forward_pass.steps if 0 in step.sources]
    layer, name = takers[0].layer, takers[0].name
    n_uses = sum(step.layer is layer for step in architecture.forward_pass.steps)
    if len(takers) > 1 or n_uses > 1 or type(layer) is not nn.Linear or layer.bias is None:
        raise UnsupportedModuleError(
            f"The first layer of {architecture!r} must be one linear layer with a bias, so that "
            "scalers can be folded into it."
        )
    prefix = f"{name}." if name else ""
    return f"{prefix}weight", f"{prefix}bias"
