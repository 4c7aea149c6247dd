"""The ``torch.device`` of a ``device`` parameter."""

import torch

from .exceptions import InvalidInputError


def resolve_device(device="auto") -> torch.device:
    """Return the torch device; ``"auto"`` is the first available of cuda, mps and cpu."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, TypeError, AssertionError) as error:
        raise InvalidInputError(
            f"`device` must be 'auto' or a device that is available, such as 'cpu'; got {device!r} "
            f"({str(error).splitlines()[0]})."
        ) from error
    return resolved
