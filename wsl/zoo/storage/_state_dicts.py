"""From a file of weights to state dicts, without running code from the file."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..._decode_arrays import check_torch_archive, read_safetensors_header
from ..._decode_json import MAX_BYTES, Fields, MapOf, decode_json, read_json
from ..._files import contained, open_regular, read_bytes
from ...exceptions import InvalidInputError, ZooFileError

SAFETENSORS = (".safetensors",)
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".tar", ".pkl", ".t7", ".model", ".weights")
MAX_MODEL_BYTES = 2**36
_WRAPPERS = (
    *("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module"),
    *("weights", "weight", "params", "state"),
)


def load_states(file: Path) -> dict[str, Mapping[str, Any]]:
    """Return the state dicts in a file by name; the name is "" if the file is one state dict.

    Raises ZooFileError if the file is unreadable, holds anything else, or would run code.
    """
    contents = _load(file)
    if isinstance(contents, (list, tuple)):
        contents = {str(index): state for index, state in enumerate(contents)}
        models = {name: _state_in(state, file) for name, state in contents.items()}
    elif isinstance(contents, Mapping) and _is_collection(contents):
        models = {str(name): _state_in(state, file) for name, state in contents.items()}
    else:
        models = {"": _state_in(contents, file)}
    found = {name: state for name, state in models.items() if state is not None}
    if not found or len(found) < len(models):
        raise ZooFileError(f"{file} holds a {type(contents).__name__} that is not a state dict.")
    return found


def load_state(file: Path) -> Mapping[str, Any]:
    """Return the state dict that a file holds."""
    states = load_states(file)
    if "" not in states:
        raise ZooFileError(
            f"{file} must hold one state dict, as it is one of several files; got {len(states)}. "
            "Pass the file itself to read_zoo."
        )
    return states[""]


def stored_tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a state dict, real tensors as float32.

    Raises InvalidInputError, naming the entry, if a tensor is larger than the memory in which it is
    stored.
    """
    entries = {}
    for name, value in state.items():
        if isinstance(value, Tensor):
            if not is_stored(value):
                raise InvalidInputError(
                    f"{name!r} must be a dense tensor that stores all of its entries; got one of "
                    f"shape {tuple(value.shape)} and layout {value.layout}."
                )
            value = value.detach()
            value = value.float() if value.is_floating_point() else value
        entries[str(name)] = value
    return entries


def read_index(index: Path) -> dict[str, str]:
    """Return the file of each entry of a state dict that several files hold together."""
    return read_json(index, Fields({"weight_map": MapOf(str)}, extra=True))["weight_map"]


def load_shards(index: Path) -> dict[str, Any]:
    """Return the state dict that several files hold together, by their index."""
    files = read_index(index)
    states = {
        file: load_state(contained(index.parent, file, index)) for file in sorted({*files.values()})
    }
    lacking = [name for name, file in files.items() if name not in states[file]]
    if lacking:
        raise ZooFileError(f"{files[lacking[0]]} lacks {lacking[0]!r}, which {index} names.")
    return {name: states[file][name] for name, file in files.items()}


def read_json_lines(file: Path, schema: Any = object) -> list[Any]:
    """Return the values of a file of JSON lines; an unfinished last line may be invalid."""
    *lines, unfinished = read_bytes(file, MAX_BYTES).split(b"\n")
    entries = [
        decode_json(line, f"{file}, line {number},", schema)
        for number, line in enumerate(lines, start=1)
    ]
    with suppress(ZooFileError):  # a writer that was killed leaves a part of a line
        entries.append(decode_json(unfinished, file, schema))
    return entries


def _load(file: Path) -> Any:
    with open_regular(file, MAX_MODEL_BYTES) as handle:
        if file.suffix in SAFETENSORS:
            read_safetensors_header(handle, file)
        else:
            check_torch_archive(handle, file)
        try:
            if file.suffix in SAFETENSORS:
                return load_file(file)
            return torch.load(handle, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:  # a damaged or hostile pickle may raise anything
            reason = type(error).__name__  # torch's own text recommends to turn off the protection
            raise ZooFileError(
                f"{file} cannot be read as weights without running code from it ({reason}): it is "
                "damaged, or holds more than tensors."
            ) from error


def _is_state(value: Any, every: bool = False) -> bool:
    """Return whether a value maps names to tensors, at least one of them or every one."""
    if not isinstance(value, Mapping) or not value:
        return False
    return (all if every else any)(isinstance(entry, Tensor) for entry in value.values())


def _is_collection(contents: Mapping[str, Any]) -> bool:
    """Return whether a mapping holds models by name, each of them a state dict."""
    if not contents or any(name in _WRAPPERS for name in contents):
        return False
    return all(_is_state(state) or _wrapped(state) for state in contents.values())


def _wrapped(value: Any) -> dict[str, Mapping[str, Any]]:
    """Return the state dicts within a training checkpoint, by their names in it.

    They are those with a usual name, and those with the same parameters as the first of these, such
    as averaged weights. Where no name is usual, they are all mappings from names to tensors.
    """
    if not isinstance(value, Mapping):
        return {}
    states = {name: entry for name, entry in value.items() if _is_state(entry, every=True)}
    usual = {name: value[name] for name in _WRAPPERS if _is_state(value.get(name))}
    if not usual:
        return states
    names = next(iter(usual.values())).keys()
    return usual | {name: state for name, state in states.items() if state.keys() == names}


def _state_in(value: Any, file: Path) -> Mapping[str, Any] | None:
    """Return the state dict that a value is, or that it holds as a training checkpoint does.

    Raises ZooFileError if there are several that differ.
    """
    states = _wrapped(value)
    if not states:
        return value if _is_state(value) else None
    first, *others = states.values()
    if not all(_same(first, other) for other in others):
        raise ZooFileError(
            f"{file} must hold one state dict; got {sorted(map(str, states))}, which differ. Save "
            "the one that you mean to a file of its own."
        )
    return first


def _same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two state dicts hold equal tensors."""
    return first.keys() == second.keys() and all(_equal(first[k], second[k]) for k in first)


def _equal(a: Any, b: Any) -> bool:
    both = (a, b)
    if not all(isinstance(t, Tensor) and is_stored(t) for t in both):
        return a is b
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)


def is_stored(tensor: Tensor) -> bool:
    """Return whether a tensor is dense and all of its entries are in memory."""
    if tensor.layout != torch.strided or tensor.is_meta:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
