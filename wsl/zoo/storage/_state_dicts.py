"""From a file of weights to state dicts, without running code from the file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...exceptions import InvalidInputError, ZooFileError
from ._weights_file import unreadable

SAFETENSORS = (".safetensors",)
PICKLES = (".pt", ".pth", ".bin")
_WRAPPERS = ("state_dict", "model_state_dict")
_COUNTER = "num_batches_tracked"


def load_states(file: Path) -> dict[str, Mapping[str, Any]]:
    """Return the state dicts in a file by name; the name is "" if the file is one state dict.

    Raises ZooFileError if the file is unreadable, holds anything else, or would run code.
    """
    contents = _load(file)
    if _is_state(contents):
        return {"": _unwrapped(contents)}
    if isinstance(contents, (list, tuple)):
        contents = {str(index): state for index, state in enumerate(contents)}
    if isinstance(contents, Mapping) and contents and all(map(_is_state, contents.values())):
        return {str(name): _unwrapped(state) for name, state in contents.items()}
    raise ZooFileError(f"{file} holds a {type(contents).__name__} that is not a state dict.")


def load_state(file: Path) -> Mapping[str, Any]:
    """Return the state dict that a file holds."""
    states = load_states(file)
    if "" not in states:
        raise ZooFileError(
            f"{file} must hold one state dict, as it is one of several files; got {len(states)}. "
            "Pass the file itself to read_zoo."
        )
    return states[""]


def float_tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a state dict as float32, without the counters of batch norm.

    Raises InvalidInputError, naming the entry, if one does not hold floating point numbers.
    """
    tensors = {}
    for name, value in state.items():
        if name.endswith(_COUNTER):
            continue
        dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta
        if not dense or not value.is_floating_point():
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise InvalidInputError(f"{name!r} must hold floating point weights; got a {kind}.")
        tensors[name] = value.detach().to(torch.float32)
    return tensors


def read_json_lines(file: Path) -> list[Any]:
    """Return the values of a file of JSON lines; an incomplete last line is left out."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise unreadable(file, error) from error
    except ValueError as error:
        raise ZooFileError(f"{file} is not UTF-8 text: {error}") from error
    entries = []
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            if number < len(lines):
                raise ZooFileError(f"{file}, line {number}, is not valid JSON: {error}") from error
    return entries


def read_json(file: Path) -> Any:
    """Return the value of a JSON file."""
    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise unreadable(file, error) from error
    except (ValueError, RecursionError) as error:
        raise ZooFileError(f"{file} is not valid JSON: {error}") from error


def _load(file: Path) -> Any:
    try:
        if file.suffix in SAFETENSORS:
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise unreadable(file, error) from error
    except Exception as error:  # a damaged or hostile pickle may raise anything
        reason = type(error).__name__  # torch's own text recommends to turn off the protection
        raise ZooFileError(
            f"{file} cannot be read as weights without running code from it ({reason}): it is "
            "damaged, or holds more than tensors."
        ) from error


def _is_state(value: Any) -> bool:
    """Return whether a value maps names to tensors, or wraps a mapping that does."""
    return isinstance(value, Mapping) and any(
        isinstance(entry, Tensor) for entry in _unwrapped(value).values()
    )


def _unwrapped(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the state dict within a training checkpoint."""
    for name in _WRAPPERS:
        if isinstance(value.get(name), Mapping):
            return value[name]
    return value
