"""Copies of modules without wrappers and reparametrizations: what they compute, and nothing else.

``torch.compile``, ``DataParallel``, averaged models and Opacus wrap a module in another one.
Pruning, weight and spectral normalization compute a weight from others; a copy holds the result.
"""

import copy
from collections import OrderedDict
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm

_WRAPPED = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "AveragedModel": "module",
    "GradSampleModule": "_module",
}
_OLD_NORMS = {"WeightNorm": remove_weight_norm, "SpectralNorm": remove_spectral_norm}


def plain_copy(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode of what ``module`` computes, without wrappers."""
    module = unwrapped(module)
    memo: dict[int, Any] = {}
    for part in module.modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and not value.is_leaf:  # computed from other parameters
                memo[id(value)] = value.detach().clone()
            elif name == "_modules":
                _copy_wrapped(value, memo)
    plain = copy.deepcopy(module, memo).eval()
    for part in list(plain.modules()):
        _remove_wrapper_hooks(part)
        _remove_reparametrizations(part)
    return plain


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside of all wrappers around it."""
    while (inner := _inner(module)) is not None:
        module = inner
    return module


def is_plain(module: nn.Module) -> bool:
    """Return True if no part of a module is a wrapper or computes its parameters."""
    return all(
        _inner(part) is None and not parametrize.is_parametrized(part) and not _weight_hooks(part)
        for part in module.modules()
    )


def _inner(module: nn.Module) -> nn.Module | None:
    for base in type(module).__mro__:
        if base.__name__ in _WRAPPED:
            return getattr(module, _WRAPPED[base.__name__], None)
    return None


def _copy_wrapped(children: dict[str, nn.Module | None], memo: dict[int, Any]) -> None:
    """Let wrappers among the children be copied as what they wrap."""
    for child in children.values():
        if child is not None and _inner(child) is not None:
            memo[id(child)] = copy.deepcopy(unwrapped(child), memo)


def _remove_wrapper_hooks(part: nn.Module) -> None:
    """Remove hooks that belong to a wrapper, such as the gradient hooks of Opacus."""
    for hooks in (part._forward_hooks, part._forward_pre_hooks, part._backward_hooks):
        for key, hook in list(hooks.items()):
            function = hook.func if isinstance(hook, partial) else hook
            owner = getattr(function, "__self__", None)
            if isinstance(owner, nn.Module) and _inner(owner) is not None:
                del hooks[key]


def _remove_reparametrizations(part: nn.Module) -> None:
    """Replace tensors from which a parameter is computed by the parameter."""
    names = _remove_parametrizations(part) if parametrize.is_parametrized(part) else []
    for hook in _weight_hooks(part):
        if isinstance(hook, prune.BasePruningMethod):
            names.append(hook._tensor_name)
            prune.remove(part, hook._tensor_name)
        else:
            names.append(hook.name)
            _OLD_NORMS[type(hook).__name__](part, hook.name)
    if "weight" in names:  # which comes before the bias in all layers of torch
        rest = {name: value for name, value in part._parameters.items() if name != "weight"}
        part._parameters = OrderedDict(weight=part._parameters["weight"], **rest)


def _remove_parametrizations(part: nn.Module) -> list[str]:
    """Do what torch's function of this name does, which also changes the class of the original."""
    names: Any = part.parametrizations
    values = {name: getattr(part, name).detach().clone() for name in names}
    del part._modules["parametrizations"]
    part.__class__ = type(part).__bases__[0]
    for name, value in values.items():
        part.register_parameter(name, nn.Parameter(value))
    return list(values)


def _weight_hooks(part: nn.Module) -> list[Any]:
    return [
        hook
        for hook in part._forward_pre_hooks.values()
        if isinstance(hook, prune.BasePruningMethod) or type(hook).__name__ in _OLD_NORMS
    ]
