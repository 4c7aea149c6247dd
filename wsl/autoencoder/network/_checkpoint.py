"""The state of a training in one file, written after each epoch, and what tells it from another's.

The loop itself lives in ``_training``. A file is read without running any code that it may hold.
"""

import json
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
from ..._files import replacing
from ...architectures import Architecture
from ...exceptions import InvalidInputError

# of a model that is trained already, or none of training's business
NOT_OF_TRAINING = ("callbacks", "checkpoint", "pooling", "refine_steps", "verbose", "warm_start")


class EpochCheckpoint(Callback):
    """Writes network, optimizer, generator and history after each epoch.

    Parameters
    ----------
    path : path
    fingerprint : str
        Names the training, from ``training_fingerprint``; that of another one is refused.
    """

    def __init__(self, path: str | Path, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Write the file, whole or not at all."""
        rows = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
        state = {
            "fingerprint": self.fingerprint,
            "network": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "generator": net.criterion_.generator.get_state(),
            "history": json.dumps(rows, default=float),
        }
        with replacing(self.path) as temporary:
            torch.save(state, temporary)

    def restore(self, net: NeuralNet) -> None:
        """Bring a net to where the file was written, if there is one.

        Raises
        ------
        InvalidInputError
            If the file is of another training, or none of ours.
        """
        if not Path(self.path).exists():
            return
        state = self._read(net.device)
        if state["fingerprint"] != self.fingerprint:
            raise InvalidInputError(
                f"checkpoint={str(self.path)!r} is of another training: data, parameters or "
                "release differ; wanted a path where nothing is, or the same training"
            )
        net.module_.load_state_dict(state["network"])
        net.optimizer_.load_state_dict(state["optimizer"])
        net.criterion_.generator.set_state(state["generator"].cpu())
        net.history_ = History([{**row, "batches": []} for row in json.loads(state["history"])])

    def _read(self, device: str) -> dict[str, Any]:
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
        except Exception as error:  # of whatever kind: torch names many for one damaged file
            raise InvalidInputError(
                f"checkpoint={str(self.path)!r} cannot be read: {str(error).splitlines()[0]}"
            ) from error
        if not isinstance(state, dict) or "fingerprint" not in state:
            raise InvalidInputError(f"checkpoint={str(self.path)!r} holds no training")
        return state


def training_fingerprint(
    parameters: Mapping[str, Any], rows: np.ndarray, device: torch.device, n_before: int
) -> str:
    """Return a digest of everything that decides a training.

    Parameters
    ----------
    parameters : mapping
        Of the estimator, by name.
    n_before : int
        Steps of the trainings that it goes on from.
    """
    parts = {name: parameters[name] for name in sorted(parameters.keys() - set(NOT_OF_TRAINING))}
    architecture = parts.pop("architecture")
    if isinstance(architecture, Architecture):
        shapes = architecture.parameter_names, architecture.parameter_shapes
        parts["architecture"] = repr(architecture.template), architecture.input_shape, shapes
    parts["device"] = device.type
    return joblib.hash([__version__, parts, rows, n_before])
