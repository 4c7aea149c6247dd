"""The state of a training in one file, written after each epoch and read without running code.

The file is a line of text, the SHA-256 of all that follows, and what ``torch.save`` writes.
"""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History

from ... import __version__
from ..._decode_arrays import check_torch_archive
from ..._digest import bytes_digest
from ..._files import read_bytes, replacing
from ...architectures import Architecture
from ...exceptions import InvalidInputError

# parameters of an estimator that do not change how it is trained
HEADER = b"wsl training checkpoint\n"
MAX_BYTES = 2**26  # beside the network: the history
BYTES_PER_PARAMETER = 64  # weights and moments of the optimizer take 12
NOT_OF_TRAINING = ("callbacks", "checkpoint", "refine_steps", "verbose", "warm_start")


class EpochCheckpoint(Callback):
    """Writes network, optimizer, generator and history after each epoch.

    Parameters
    ----------
    path : path
        The file.
    fingerprint : str
        Identifies the training, from ``training_fingerprint``.
    """

    def __init__(self, path: str | os.PathLike, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Write the file, whole or not at all."""
        epochs = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
        state = {
            "fingerprint": self.fingerprint,
            "network": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "generator": net.criterion_.generator.get_state(),
            "history": json.dumps(epochs, default=float),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        contents = buffer.getvalue()
        with replacing(self.path) as temporary:
            temporary.write_bytes(HEADER + bytes_digest(contents).encode() + b"\n" + contents)

    def restore(self, net: NeuralNet) -> None:
        """Set a net to the state in the file, if there is one.

        Raises
        ------
        InvalidInputError
            If the file is damaged or not a checkpoint of this training.
        """
        if not Path(self.path).exists():
            return
        n_parameters = sum(parameter.numel() for parameter in net.module_.parameters())
        state = read_state(self.path, net.device, MAX_BYTES + BYTES_PER_PARAMETER * n_parameters)
        if state["fingerprint"] != self.fingerprint:
            raise InvalidInputError(
                f"`checkpoint` must be a new path or the checkpoint of the same training; "
                f"{str(self.path)!r} is of another training: its models, parameters, release or "
                "device differ."
            )
        net.module_.load_state_dict(state["network"])
        net.optimizer_.load_state_dict(state["optimizer"])
        net.criterion_.generator.set_state(state["generator"].cpu())
        net.history_ = History([{**row, "batches": []} for row in json.loads(state["history"])])


def read_state(path: str | os.PathLike, device: str, max_bytes: int) -> dict[str, Any]:
    """Return the contents of a checkpoint.

    Raises
    ------
    InvalidInputError
        If the file is damaged, not a checkpoint, or larger than ``max_bytes``.
    """
    name = f"checkpoint {str(path)!r}"
    data = read_bytes(path, max_bytes, error=InvalidInputError)
    if not data.startswith(HEADER):
        raise InvalidInputError(f"{name} is not a wsl training checkpoint.")
    digest, _, contents = data[len(HEADER) :].partition(b"\n")
    if digest.decode("ascii", "replace") != bytes_digest(contents):
        raise InvalidInputError(
            f"{name} is damaged: its checksum differs from that of its contents. Remove it to "
            "train from the start."
        )
    try:
        buffer = io.BytesIO(contents)
        check_torch_archive(buffer, name, error=InvalidInputError)
        state = torch.load(buffer, map_location=device, weights_only=True)
    except Exception as error:  # of whatever kind: torch raises many for one file
        raise InvalidInputError(f"{name} cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or "fingerprint" not in state:
        raise InvalidInputError(f"{name} is not a wsl training checkpoint.")
    return state


def training_fingerprint(
    parameters: Mapping[str, Any], rows: np.ndarray, device: torch.device, n_before: int
) -> str:
    """Return a digest of everything that determines a training.

    Parameters
    ----------
    parameters : mapping
        Parameters of the estimator, by name.
    rows : ndarray ``(n_models, n_weights)``
        The models.
    device : torch.device
        Where it runs.
    n_before : int
        Steps of earlier trainings that it continues.
    """
    parts = {name: parameters[name] for name in sorted(parameters.keys() - set(NOT_OF_TRAINING))}
    architecture = parts.pop("architecture")
    if isinstance(architecture, Architecture):
        shapes = architecture.parameter_names, architecture.parameter_shapes
        parts["architecture"] = repr(architecture.template), architecture.input_shape, shapes
    parts["device"] = device.type
    return joblib.hash([__version__, parts, rows, n_before])
