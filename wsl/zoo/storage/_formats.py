"""The formats of stored models: which files of a folder are models, and their metadata."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..._caller_warnings import warn_caller
from ..._decode_json import read_json
from ..._files import refuse_escape
from ...exceptions import IncompleteZooWarning, InvalidInputError, ZooFileError
from ._journal import begun_weights
from ._manifest import MANIFEST
from ._state_dicts import (
    PICKLES,
    SAFETENSORS,
    load_shards,
    load_state,
    load_states,
    read_index,
    read_json_lines,
)

Layout = Literal["auto", "zoo", "safetensors", "state_dicts", "ray"]
Epochs = Literal["last", "all"] | int | Sequence[int]

_CHECKPOINT = re.compile(r"checkpoint_(\d+)")
_WEIGHTS = "checkpoints"
_INDEX = ".index.json"  # of a model that several files hold together
# what params.json holds too, facts about the machine, and names that are used otherwise
_LEFT_OUT = {"config", "hostname", "node_ip", "pid", "checkpoint_dir_name", "model", "epoch"}


class Checkpoint(NamedTuple):
    """A model to be read: its file, a function that reads it, and its metadata."""

    file: Path
    load: Callable[[], Mapping[str, Any]]
    metadata: dict[str, Any]


def detect_layout(path: Path) -> Layout:
    """Return the layout of a folder or file; raise ZooFileError if there is not exactly one."""
    if not path.exists():
        raise ZooFileError(f"{path} does not exist.")
    if not path.is_dir():
        return "safetensors" if path.suffix in SAFETENSORS else "state_dicts"
    if (path / MANIFEST).exists():
        return "zoo"
    layouts: list[Layout] = []
    names: dict[Layout, tuple[str, ...]] = {"safetensors": SAFETENSORS, "state_dicts": PICKLES}
    for layout, suffixes in names.items():
        if _files(path, suffixes):
            layouts.append(layout)
    if any((folder / "params.json").exists() or _epochs_in(folder) for folder in _folders(path)):
        layouts.append("ray")
    if not layouts:
        raise ZooFileError(f"{path} does not hold models of a known layout.")
    if len(layouts) > 1:
        raise ZooFileError(
            f"{path} holds models of several layouts; pass layout= as one of {layouts}."
        )
    return layouts[0]


def list_checkpoints(path: Path, layout: Layout, epochs: Epochs) -> list[Checkpoint]:
    """Return the models in a folder or file, in the order of their names."""
    if layout == "ray" and not path.is_dir():
        raise ZooFileError(f"{path} must be a folder of ray-tune trials; got a file.")
    if layout == "ray":
        checkpoints = _ray_checkpoints(path, epochs)
    elif not path.is_dir():
        states = load_states(path)
        checkpoints = [
            Checkpoint(path, partial(states.__getitem__, name), {"model": name or _name(path)})
            for name in states
        ]
    else:
        checkpoints = _folder_checkpoints(path, SAFETENSORS if layout == "safetensors" else PICKLES)
    for checkpoint in checkpoints:
        refuse_escape(checkpoint.file, path)
    if not checkpoints:
        raise ZooFileError(f"{path} does not hold models of the layout {layout!r}.")
    return checkpoints


def _folder_checkpoints(path: Path, suffixes: tuple[str, ...]) -> list[Checkpoint]:
    """Return a model per file, or per index of files that hold one model together."""
    indices = [file for file in _visible(path) if file.name.endswith(_INDEX)]
    shards = {name for index in indices for name in read_index(index).values()}
    checkpoints = [
        Checkpoint(index, partial(load_shards, index), {"model": index.name.split(".")[0]})
        for index in indices
    ]
    checkpoints += [
        Checkpoint(file, partial(load_state, file), {"model": _name(file)})
        for file in _files(path, suffixes)
        if file.name not in shards
    ]
    return sorted(checkpoints, key=lambda checkpoint: checkpoint.file.name)


def _visible(path: Path) -> list[Path]:
    """Return the contents of a folder, without hidden files of archivers and editors."""
    return sorted(child for child in path.iterdir() if not child.name.startswith((".", "__")))


def _files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return the files with an ending, but for weights that ``read_zoo`` itself has begun here."""
    begun = begun_weights(path)
    return [f for f in _visible(path) if f.suffix in suffixes and f.name not in begun]


def _name(file: Path) -> str:
    """Return the name of a model: that of its file without ``.pt``, ``.pth.tar`` and the like."""
    stem = Path(file.stem)
    return stem.stem if file.suffix == ".tar" and stem.suffix in PICKLES else str(stem)


def _folders(path: Path) -> list[Path]:
    return [folder for folder in _visible(path) if folder.is_dir()]


def _epochs_in(folder: Path) -> dict[int, Path]:
    """Return the checkpoints of one trial by the number in their names, in order.

    Raises ZooFileError if two have the same number.
    """
    files: dict[int, Path] = {}
    for child in sorted(folder.iterdir()):
        match = _CHECKPOINT.fullmatch(child.name)
        if match and (child / _WEIGHTS).exists():
            _add(files, int(match[1]), child / _WEIGHTS, folder)
    return dict(sorted(files.items()))


def _add(checkpoints: dict[int, Any], epoch: int, checkpoint: Any, folder: Path) -> None:
    """Add a checkpoint; raise ZooFileError if there is another one of the same epoch."""
    if epoch in checkpoints:
        files = [str(getattr(c, "file", c)) for c in (checkpoints[epoch], checkpoint)]
        raise ZooFileError(
            f"{folder} must hold one checkpoint of epoch {epoch}; got {files}. Move one of them "
            "away."
        )
    checkpoints[epoch] = checkpoint


def _ray_checkpoints(path: Path, epochs: Epochs) -> list[Checkpoint]:
    """Return the chosen checkpoints of all trials of a ray-tune experiment."""
    checkpoints, empty = [], []
    for folder in _folders(path):
        refuse_escape(folder, path)
        trial = _trial(folder)
        chosen = _choose(trial, epochs, folder)
        checkpoints += [trial[epoch] for epoch in chosen]
        empty += [] if trial else [folder.name]
    if empty and checkpoints:
        warn_caller(
            f"{len(empty)} folders of {path} have no checkpoint and are left out: {empty[:10]}",
            IncompleteZooWarning,
        )
    return checkpoints


def _choose(trial: dict[int, Checkpoint], epochs: Epochs, folder: Path) -> list[int]:
    """Return the epochs to read of one trial."""
    if isinstance(epochs, str):
        if epochs not in ("last", "all"):
            raise InvalidInputError(
                f"`epochs` must be 'last', 'all', an int or a sequence of ints; got {epochs!r}."
            )
        return sorted(trial)[-1:] if epochs == "last" else sorted(trial)
    chosen = [epochs] if isinstance(epochs, int) else list(epochs)
    lacking = [epoch for epoch in chosen if epoch not in trial]
    if lacking and trial:
        raise InvalidInputError(
            f"`epochs` must be among {list(trial)}, the checkpoints of {folder}; got {lacking}."
        )
    return chosen if trial else []


def _trial(folder: Path) -> dict[int, Checkpoint]:
    """Return the checkpoints of one trial by epoch, each with settings and results."""
    files = _epochs_in(folder)
    config = _settings(folder / "params.json") if files else {}
    results = _results(folder / "result.json") if files else []
    # a trial that was restored repeats epochs, the last of which counts
    by_epoch = {line["training_iteration"]: line for line in results}
    by_name = {str(line.get("checkpoint_dir_name")): line for line in results}
    trial: dict[int, Checkpoint] = {}
    for number, file in files.items():
        # recent releases of ray number checkpoints independently of epochs, and record both
        result = by_name.get(file.parent.name) or by_epoch.get(number, {})
        identity = {"model": folder.name, "epoch": result.get("training_iteration", number)}
        scores = _flat({key: value for key, value in result.items() if key not in _LEFT_OUT})
        metadata = identity | config | scores
        checkpoint = Checkpoint(file, partial(load_state, file), metadata)
        _add(trial, identity["epoch"], checkpoint, folder)
    return trial


def _settings(file: Path) -> dict[str, Any]:
    """Return the settings of a trial in ``params.json``, if it exists."""
    if not file.exists():
        return {}
    return _flat(read_json(refuse_escape(file, file.parent), dict), "config/")


def _results(file: Path) -> list[dict[str, Any]]:
    """Return the lines of ``result.json`` that hold the results of an epoch, if it exists."""
    if not file.exists():
        return []
    lines = read_json_lines(refuse_escape(file, file.parent), dict)
    return [line for line in lines if type(line.get("training_iteration")) is int]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level, with names joined as ray does; lists become text."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = str(value) if isinstance(value, list) else value
    return flat
