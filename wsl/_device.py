"""The one place where a ``device`` parameter becomes a ``torch.device``."""

import torch

from .exceptions import InvalidInputError


def resolve_device(device="auto") -> torch.device:
    """Return the torch device; ``"auto"`` is cuda, then mps, then cpu, whichever is there first."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, TypeError, AssertionError) as error:
        raise InvalidInputError(
            f"device={device!r} is not available here; wanted 'auto', 'cpu', 'cuda' or 'mps' "
            f"({str(error).splitlines()[0]})"
        ) from error
    return resolved
