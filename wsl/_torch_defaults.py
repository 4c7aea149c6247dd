"""Torch's global settings without effect on wsl: default dtype and device, no_grad, inference mode.

All are local to a thread here: nothing that another thread sees is changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# functions whose result has the default dtype unless they are told another
_FACTORIES = {
    torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.linspace,
    torch.logspace, torch.empty_strided, torch.empty_permuted,
}  # fmt: skip
_CONVERSIONS = {"double", "to", "type", "from_numpy"}  # which say what they return


@contextmanager
def torch_defaults() -> Iterator[None]:
    """Compute in float32 on the CPU unless told otherwise, and with gradients."""
    with torch.inference_mode(False), torch.enable_grad(), default_factories():
        yield


@contextmanager
def default_factories() -> Iterator[None]:
    """Create tensors in float32 on the CPU unless told otherwise; leave gradients as they are."""
    with ExitStack() as stack:
        if torch.get_default_dtype() != torch.float32:
            stack.enter_context(_Float32())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


class _Float32(TorchFunctionMode):
    """Gives torch's functions the results that they have where float32 is the default dtype."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func in _FACTORIES and options.get("dtype") is None:
            return func(*args, **{**options, "dtype": torch.float32})
        result = func(*args, **options)
        if not isinstance(result, Tensor) or result.dtype != torch.float64:
            return result
        told = options.get("dtype") is not None or options.get("out") is not None
        if told or getattr(func, "__name__", "") in _CONVERSIONS or _has_float64(args):
            return result
        return result if _has_float64(list(options.values())) else result.float()


def _has_float64(values: Any) -> bool:
    """Return True for arguments that make a result float64 whatever the default dtype is."""
    for value in values:
        if isinstance(value, (list, tuple)):
            if _has_float64(value):
                return True
        elif isinstance(value, Tensor):
            if value.dtype in (torch.float64, torch.complex128):
                return True
        elif isinstance(value, np.ndarray) or value is torch.float64:
            return True
    return False
