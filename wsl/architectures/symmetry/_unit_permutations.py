"""Models with their hidden units in other orders: random, sorted, or aligned to a reference."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from ..._random import resolve_random_state, torch_generator
from ..._torch_defaults import default_factories
from ..._validation import check_rows, owned_tensor
from ...exceptions import UnsupportedModuleError
from .._parameter_layout import ParameterLayout
from ..forward._forward import ForwardPass
from ..tracing._verify import is_symmetric
from ._permutation_groups import find_groups
from ._permute import permute_rows, random_orders
from ._unit_tracking import PermutationGroup
from ._weight_matching import aligned_orders, sorted_orders


class UnitPermutations:
    """The methods of ``Architecture`` that permute hidden units without changing the function."""

    _module: nn.Module
    input_shape: Sequence[int] | None
    layout: ParameterLayout
    forward_pass: ForwardPass

    @cached_property
    def permutation_groups(self) -> tuple[PermutationGroup, ...]:
        """The groups of interchangeable hidden units.

        Raises
        ------
        UnsupportedModuleError
            If it is not known what a layer does to the order of units; the layer is named.
        """
        names = {id(parameter): name for name, parameter in self._module.named_parameters()}
        groups = find_groups(self.forward_pass.steps, self.input_shape, names)
        if not is_symmetric(self._module, self.layout.by_name, self.input_shape, groups):
            raise UnsupportedModuleError(
                f"the permutation symmetries of {type(self._module).__name__} cannot be verified: "
                "its forward pass differs from its traced layers (an in-place operation?)."
            )
        return groups

    @default_factories()
    def permute(self, weights, random_state=None):
        """Return the same models with the hidden units of each in a random order.

        Parameters
        ----------
        weights : array-like or Tensor of shape (n_models, n_weights)
            One row per model.
        random_state : int, Generator, RandomState, torch.Generator or None, default=None
            Source of the orders, one per model. None draws other orders in each call.

        Returns
        -------
        ndarray or Tensor of shape (n_models, n_weights)
            Other rows that compute the same functions.

        Raises
        ------
        UnsupportedModuleError
            If the symmetries of the module are not known.
        """
        generator = random_state
        if not isinstance(generator, torch.Generator):
            generator = torch_generator(resolve_random_state(random_state))
        orders = random_orders(self.permutation_groups, len(weights), generator)
        return permute_rows(
            self.layout,
            self.permutation_groups,
            weights,
            lambda parameters, models: [order[models] for order in orders],
        )

    @default_factories()
    def canonicalize(self, weights, reference=None):
        """Return the same models with their hidden units in one common order.

        Parameters
        ----------
        weights : array-like or Tensor of shape (n_models, n_weights)
            One row per model.
        reference : array-like of shape (n_weights,), optional
            A model to align the others to by weight matching [1]_. By default units are sorted by
            decreasing norm of their incoming weights.

        Returns
        -------
        ndarray or Tensor of shape (n_models, n_weights)
            Other rows that compute the same functions.

        Raises
        ------
        UnsupportedModuleError
            If the symmetries of the module are not known.

        Notes
        -----
        The running statistics of batch-normalization layers move along with their units, and do
        not count when units are compared. Models that only differ in the order of their units
        become equal, unless two units of a model have weights of the same norms and sums.

        References
        ----------
        .. [1] Ainsworth, Hayase and Srinivasa (2023), "Git Re-Basin: Merging Models modulo
           Permutation Symmetries", ICLR, algorithm 1.

        Examples
        --------
        >>> import numpy as np
        >>> from wsl import Architecture
        >>> architecture = Architecture.mlp(2, [8, 8], 1)
        >>> rows = np.random.default_rng(0).normal(size=(5, architecture.n_weights))
        >>> permuted = architecture.permute(rows, random_state=0)
        >>> bool((architecture.canonicalize(permuted) == architecture.canonicalize(rows)).all())
        True
        >>> aligned = architecture.canonicalize(permuted[:1], reference=rows[0])
        >>> bool((aligned == rows[:1].astype(np.float32)).all())
        True
        """
        groups = self.permutation_groups
        if reference is None:
            return permute_rows(
                self.layout, groups, weights, lambda units, models: sorted_orders(units, groups)
            )
        row = reference if isinstance(reference, Tensor) else owned_tensor(check_rows([reference]))
        device = weights.device if isinstance(weights, Tensor) else "cpu"
        anchor = self.layout.parameters(row.detach().to(device).reshape(1, -1))
        return permute_rows(
            self.layout,
            groups,
            weights,
            lambda units, models: aligned_orders(units, groups, anchor),
        )
