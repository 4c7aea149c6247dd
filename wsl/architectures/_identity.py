"""What makes two architectures the same: structure, constants, and the outputs of trial runs."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from .._digest import json_digest
from ._conversion import constants_of, to_numpy
from ._parameter_layout import ParameterLayout
from .forward._execute import forward_each_model
from .spec._size_limits import MAX_VALUES
from .tracing._trial import random_inputs, random_parameters, takes_inputs

MAX_OUTPUTS = 256  # of the trial runs, evenly spaced: enough to distinguish functions


@dataclass(frozen=True, eq=False)
class Identity:
    """What two architectures are compared by.

    Attributes
    ----------
    structure : hashable
        Names, shapes, layers and constants; equal for equal architectures.
    outputs : ndarray of shape (n_values,) or None
        Outputs of random models on random inputs. None where the structure determines the
        function, or where the shape of an input is not known.
    """

    structure: Hashable
    outputs: np.ndarray | None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identity) or self.structure != other.structure:
            return False
        if self.outputs is None or other.outputs is None:
            return self.outputs is other.outputs
        return _same(self.outputs, other.outputs)

    def __hash__(self) -> int:
        return hash(self.structure)


def identify_module(
    module: nn.Module, layout: ParameterLayout, input_shape: Sequence[int] | None, layers: Hashable
) -> Identity:
    """Return the identity of an architecture.

    ``layers`` describes the layers where they determine the function; None where they do not.
    """
    outputs, function = None, layers
    if layers is None:
        function = f"{type(module).__module__}.{type(module).__qualname__} {module!r}"
        if input_shape is None:
            function = function, _settings(module)
        else:
            outputs = trial_outputs(module, layout, input_shape)
    shape = None if input_shape is None else tuple(input_shape)
    structure = function, layout.names, layout.shapes, shape, constants_digest(module)
    return Identity(structure, outputs)


def function_to_json(
    module: nn.Module, layout: ParameterLayout, input_shape: Sequence[int] | None
) -> dict[str, Any]:
    """Return what distinguishes an architecture that cannot be stored from others, as JSON."""
    shape = outputs = None
    if input_shape is not None:
        shape = list(input_shape)
        outputs = trial_outputs(module, layout, shape).tolist()
    return {
        "names": list(layout.names),
        "shapes": [list(sizes) for sizes in layout.shapes],
        "input_shape": shape,
        "constants": constants_digest(module),
        "outputs": outputs,
    }


def is_function_of(description: dict[str, Any], module: nn.Module, layout: ParameterLayout) -> bool:
    """Return True if a module computes what ``function_to_json`` described."""
    own = function_to_json(module, layout, None)
    if any(own[key] != description[key] for key in ("names", "shapes", "constants")):
        return False
    shape, outputs = description["input_shape"], description["outputs"]
    if shape is None or outputs is None:
        return True
    if min(shape, default=1) < 1 or math.prod(shape) > MAX_VALUES:  # the file is not trusted
        return False
    if not takes_inputs(module, shape):
        return False
    return _same(trial_outputs(module, layout, shape), np.asarray(outputs, dtype=np.float64))


def trial_outputs(
    module: nn.Module, layout: ParameterLayout, input_shape: Sequence[int]
) -> np.ndarray:
    """Return outputs of random models on random inputs, at most ``MAX_OUTPUTS`` of them."""
    with torch.no_grad():
        outputs = forward_each_model(
            module, random_parameters(layout.by_name), random_inputs(input_shape)[None]
        ).flatten()
    return outputs[:: -(-len(outputs) // MAX_OUTPUTS)].double().numpy()


def constants_digest(module: nn.Module) -> str:
    """Return a digest of the buffers that are no part of a row."""
    constants = {name: to_numpy(buffer) for name, buffer in constants_of(module).items()}
    return json_digest(
        [[name, str(a.dtype), a.shape, a.tobytes().hex()] for name, a in sorted(constants.items())]
    )


def _settings(module: nn.Module) -> Hashable:
    """Return the attributes of the module's parts, where no trial run can tell functions apart."""
    return tuple(
        (name, key, getattr(value, "__qualname__", None) or repr(value))
        for name, part in module.named_modules()
        for key, value in sorted(vars(part).items())
        if not key.startswith("_") and not isinstance(value, torch.Tensor)
    )


def _same(outputs: np.ndarray, others: np.ndarray) -> bool:
    if outputs.shape != others.shape:
        return False
    scale = float(np.abs(outputs[np.isfinite(outputs)]).max(initial=0.0))
    return np.allclose(outputs, others, rtol=1e-4, atol=1e-5 * scale, equal_nan=True)
