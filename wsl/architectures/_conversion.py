"""Models to rows of weights and back: modules, state dicts and fitted scikit-learn models."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import build_mlp
from ._parameter_layout import ParameterLayout
from ._plain_module import is_plain, plain_copy, unwrapped
from ._template import running_statistics

ACTIVATIONS = {
    "relu": "relu",
    "tanh": "tanh",
    "logistic": "sigmoid",
    "identity": "identity",
}


class RowReader:
    """Turns models of one architecture into rows.

    Buffers other than running statistics are constants: they are no part of a row, so each model
    must have those of the template. A parameter that layers share may come under either name.
    """

    def __init__(self, layout: ParameterLayout, template: nn.Module):
        self.layout = layout
        self.constants = constants_of(template)
        primary = {id(parameter): name for name, parameter in template.named_parameters()}
        self.aliases = {
            name: primary[id(parameter)]
            for name, parameter in template.named_parameters(remove_duplicate=False)
            if name != primary[id(parameter)]
        }

    def rows(self, models: Iterable[Any]) -> np.ndarray:
        """Return models as float32 rows ``(n_models, n_weights)``.

        Raises InvalidInputError or UnsupportedModuleError; the model is named by its index.
        """
        rows = []
        for index, model in enumerate(models):
            try:
                rows.append(self._row(model))
            except (InvalidInputError, UnsupportedModuleError) as error:
                raise type(error)(f"models[{index}]: {error}") from error
        if not rows:
            raise InvalidInputError("`models` must hold at least one model; got none.")
        return np.stack(rows)

    def _row(self, model: Any) -> np.ndarray:
        if isinstance(model, nn.Module):
            state = module_state(model)
        elif isinstance(model, Mapping):
            state = plain_state(model, self.layout.names)
        else:
            state = sklearn_state(model, self.layout.names)
        state = self._without_constants(self._without_aliases(state))
        missing = [name for name in self.layout.names if name not in state]
        unknown = [name for name in state if name not in self.layout.by_name]
        if missing or unknown:
            got = (("none called", missing), ("unknown", unknown))
            raise InvalidInputError(
                "the parameters must be those of the architecture; got "
                + " and ".join(f"{what} {names}" for what, names in got if names)
                + "."
            )
        arrays = [
            real_array(state[name], name, shape) for name, shape in self.layout.by_name.items()
        ]
        return np.concatenate([array.ravel() for array in arrays])

    def _without_aliases(self, state: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in state.items() if name not in self.aliases}
        for alias in set(state) & set(self.aliases):
            name = self.aliases[alias]
            value = kept.setdefault(name, state[alias])
            if not np.array_equal(to_numpy(value), to_numpy(state[alias]), equal_nan=True):
                raise InvalidInputError(
                    f"{alias!r} must equal {name!r}, as layers of the architecture share it; got "
                    "other values."
                )
        return kept

    def _without_constants(self, state: dict[str, Any]) -> dict[str, Any]:
        for name in set(state) & set(self.constants):
            constant = to_numpy(self.constants[name])
            if not np.array_equal(to_numpy(state[name]).astype(constant.dtype), constant):
                raise InvalidInputError(
                    f"buffer {name!r} must be that of the architecture, as it is no weight of a "
                    "row; got other values."
                )
        return {name: value for name, value in state.items() if name not in self.constants}


def constants_of(module: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that are no part of a row, except the counters of batch normalization."""
    statistics = running_statistics(module)
    return {
        name: buffer
        for name, buffer in module.named_buffers()
        if name not in statistics and not _is_counter(name)
    }


def module_state(module: nn.Module) -> dict[str, Any]:
    """Return the parameters and buffers of what a module computes, by name."""
    plain = unwrapped(module) if is_plain(unwrapped(module)) else plain_copy(module)
    buffers = {name: b for name, b in plain.named_buffers() if not _is_counter(name)}
    return {**dict(plain.named_parameters()), **buffers}


def plain_state(state: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return a state dict as its module has it without wrappers, pruning masks applied.

    A prefix that a module around the model has added is removed.
    """
    tensors = {
        str(name).replace("_orig_mod.", ""): value
        for name, value in state.items()
        if not _is_counter(str(name))
    }
    tensors = _without_prefix(tensors, names)
    for name in [name for name in tensors if f"{name.removesuffix('_orig')}_mask" in tensors]:
        if name.endswith("_orig"):
            weight = name.removesuffix("_orig")
            mask = to_numpy(tensors.pop(f"{weight}_mask"))
            tensors[weight] = to_numpy(tensors.pop(name)) * mask
    computed = [
        name
        for name in tensors
        if "parametrizations." in name or (name.endswith("_g") and f"{name[:-1]}v" in tensors)
    ]
    if not set(computed) <= set(names):
        raise InvalidInputError(
            f"a state dict must hold weights, not what they are computed from; got {computed[0]!r} "
            "(weight or spectral normalization): pass the module itself."
        )
    return tensors


def _without_prefix(tensors: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the entries of a model, without the prefix that a module around it has added.

    The prefix is one under which all parameters of the architecture are found. Entries without it
    belong to other parts of that module, such as a loss.
    """
    forms = (names[0], f"{names[0]}_orig")  # a pruned weight has the latter
    if set(forms) & set(tensors):
        return tensors
    prefixes = {
        name.removesuffix(form) for name in tensors for form in forms if name.endswith(f".{form}")
    }
    prefixes = {
        prefix
        for prefix in prefixes
        if all({prefix + name, f"{prefix}{name}_orig"} & set(tensors) for name in names)
    }
    if len(prefixes) > 1:
        raise InvalidInputError(
            f"the parameters of the architecture must be there once; got them under "
            f"{sorted(prefixes)}."
        )
    return {
        name.removeprefix(prefix): value
        for prefix in prefixes or {""}
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def sklearn_state(model: Any, names: Sequence[str]) -> dict[str, Any]:
    """Return the weights of a fitted scikit-learn model, by the names of its architecture."""
    layers = sklearn_layers(model)
    arrays = [array for layer in layers for array in layer]
    if len(arrays) != len(names):
        raise InvalidInputError(
            f"the model must have {len(names)} arrays of weights, as the architecture has; got a "
            f"{type(model).__name__} with {len(arrays)}."
        )
    return dict(zip(names, arrays, strict=True))


def real_array(value: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a parameter as float32; InvalidInputError unless it is real and of a shape."""
    array = to_numpy(value)
    if array.dtype.kind != "f" or isinstance(value, (list, tuple)):
        kind = getattr(value, "dtype", type(value).__name__)
        raise InvalidInputError(f"{name!r} must hold floating point weights; got a {kind}.")
    if array.shape != shape:
        raise InvalidInputError(f"{name!r} must have shape {shape}; got {array.shape}.")
    return array.astype(np.float32, copy=False)


def to_numpy(value: Any) -> np.ndarray:
    """Return a tensor of any kind, or an array, as an array."""
    if not isinstance(value, Tensor):
        return np.asarray(value)
    if value.is_meta:
        raise InvalidInputError("a parameter must have values; got a tensor on the meta device.")
    value = value.detach().cpu().resolve_conj().resolve_neg()
    if value.is_quantized:
        value = value.int_repr()
    if value.layout != torch.strided:
        value = value.to_dense()
    if value.is_floating_point() and value.dtype not in (torch.float16, torch.float64):
        value = value.float()  # numpy has no bfloat16
    return value.numpy()


def _is_counter(name: str) -> bool:
    return f".{name}".endswith(".num_batches_tracked")


def sklearn_layers(model: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weight ``(n_out, n_in)`` and bias ``(n_out,)`` of each layer of a fitted model.

    Raises UnsupportedModuleError if the model holds no such weights.
    """
    if hasattr(model, "coefs_") and hasattr(model, "intercepts_"):
        return [(w.T, b) for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
    # a kernel SVM predicts from more than these two, PLS centers its input
    needs_more = hasattr(model, "support_") or hasattr(model, "_x_mean")
    if hasattr(model, "coef_") and hasattr(model, "intercept_") and not needs_more:
        weight = np.atleast_2d(_dense(model.coef_))
        return [(weight, np.broadcast_to(model.intercept_, weight.shape[0]))]
    raise UnsupportedModuleError(
        "a model must be an nn.Module, a state dict, or a fitted scikit-learn MLP or linear model; "
        f"got a {type(model).__name__}."
    )


def _dense(coefficients: Any) -> np.ndarray:
    return coefficients.toarray() if hasattr(coefficients, "toarray") else to_numpy(coefficients)


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
