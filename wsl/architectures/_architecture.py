"""``Architecture``: what a row of weights means.

How many models are run lives in ``_forward`` and below it, the symmetries in ``_symmetry``, what a
module must be in ``_template``.
"""

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._random import resolve_random_state, torch_generator
from .._validation import check_rows, owned_tensor
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import build_cnn, build_mlp, replace_activations
from ._conversion import flatten_model, sklearn_model, sklearn_module
from ._parameter_layout import ParameterLayout
from ._template import first_shape, layer_names, make_template, refuse_unsupported
from .forward._execute import run_each
from .forward._forward import ForwardPass
from .spec._layer_spec import abbreviated
from .spec._module_spec import module_from_spec, module_to_spec, step_identity
from .symmetry._permutation_groups import find_groups
from .symmetry._permute import permute_rows, random_orders
from .symmetry._unit_tracking import PermutationGroup
from .symmetry._weight_matching import aligned_orders, sorted_orders
from .tracing._verify import agrees, is_symmetric


class Architecture:
    """The meaning of a row of weights: names, shapes, function and symmetries of a network.

    Parameters
    ----------
    module : nn.Module
        The template. Its structure is copied; its weights are not kept.
    input_shape : tuple of int, optional
        Shape of one input. Needed only where the first layer does not tell it, as with a bare
        convolution. Inputs that arrive as flat rows are given this shape.

    Attributes
    ----------
    n_weights : int
        Numbers in a row.
    n_trainable : int
        How many of them, from the first on, training moves. The running statistics of
        batch-normalisation layers come after them.
    n_inputs, n_outputs : int
        Numbers in one input and in one output.
    parameter_names : tuple of str
    parameter_shapes : tuple of tuple of int
    slices : dict of str to slice
        Where in a row each parameter lies.

    Raises
    ------
    UnsupportedModuleError
        If the module has no parameters, or has uninitialised ones.

    Notes
    -----
    A row holds all that makes one trained model another: the parameters, in the module's order,
    and then the running mean and variance of each batch-normalisation layer.

    An architecture is immutable, compares by structure, and can be copied and pickled: it may be
    the constructor parameter of an estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from wsl import Architecture
    >>> architecture = Architecture.mlp(4, [32], 1)
    >>> architecture
    Architecture(4 -> Linear(4, 32) -> ReLU -> Linear(32, 1) -> 1, n_weights=193)
    >>> rows = np.random.default_rng(0).normal(size=(10, architecture.n_weights))
    >>> architecture.forward(rows, np.ones((5, 4))).shape
    (10, 5, 1)
    """

    def __init__(self, module: nn.Module, *, input_shape: Sequence[int] | None = None):
        if not isinstance(module, nn.Module):
            raise UnsupportedModuleError(
                f"module is a {type(module).__name__}; wanted an nn.Module"
            )
        refuse_unsupported(module)
        self._module = make_template(module)
        self.input_shape = first_shape(self._module, input_shape)
        self.layout = ParameterLayout.of(self._module)
        self.forward_pass = ForwardPass(self._module, self.layout, self.input_shape)

    @classmethod
    def mlp(
        cls,
        n_inputs: int,
        hidden: Sequence[int],
        n_outputs: int,
        activation: str = "relu",
        *,
        features: Sequence[int] | None = None,
        dropout: float | None = None,
    ) -> "Architecture":
        """Return a multi-layer perceptron with hidden layers of the widths in ``hidden``.

        With ``features``, it takes ``n_inputs`` columns and uses those with these indices only.
        With ``dropout``, a Dropout layer of this probability follows each activation.
        """
        return cls(build_mlp(n_inputs, hidden, n_outputs, activation, features, dropout))

    @classmethod
    def cnn(
        cls,
        image_shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden: Sequence[int],
        n_outputs: int,
        kernel_size: int | Sequence[int] = 3,
        pool: int | Sequence[int] = 2,
        activation: str = "relu",
        *,
        dropout: float | None = None,
    ) -> "Architecture":
        """Return a small CNN: unpadded convolutions with max-pooling, a flatten, an MLP head.

        ``image_shape`` is (channels, height, width); inputs are rows of that many numbers.
        ``kernel_size`` and ``pool`` are for all convolutions, or one for each; a pool of 1 is none.
        With ``dropout``, a Dropout layer of this probability follows each activation of the head.

        Examples
        --------
        The CNN of the MNIST zoos of Schuerholt et al. (2022):

        >>> from wsl import Architecture
        >>> Architecture.cnn((1, 28, 28), [8, 6, 4], [20], 10, [5, 5, 2], [2, 2, 1]).n_weights
        2464
        """
        return cls(
            build_cnn(
                image_shape, channels, hidden, n_outputs, kernel_size, pool, activation, dropout
            )
        )

    @classmethod
    def from_sklearn(cls, model: Any) -> "Architecture":
        """Return the architecture of a fitted scikit-learn MLP or linear model.

        Its outputs are the model's decision values: what comes before the softmax or sigmoid.
        """
        return cls(sklearn_module(model))

    def with_activation(self, activation: str) -> "Architecture":
        """Return the same architecture with every activation layer of one kind.

        Raises
        ------
        InvalidInputError
            If the name is not one of those that ``mlp`` takes.
        UnsupportedModuleError
            If the module has no activation layers: functions called in its code are not replaced.
        """
        return Architecture(
            replace_activations(self.template, activation), input_shape=self.input_shape
        )

    def to_spec(self) -> dict[str, Any]:
        """Return the architecture as JSON values; UnsupportedModuleError for unusual layers."""
        shape = None if self.input_shape is None else list(self.input_shape)
        spec = {"module": module_to_spec(self._module), "input_shape": shape}
        try:
            twin = Architecture.from_spec(spec)
            run = partial(run_each, twin._module)
            known = agrees(self._module, self.layout.by_name, self.input_shape, run)
        except InvalidInputError:
            known = False
        if not known:
            raise UnsupportedModuleError(
                f"module {type(self._module).__name__} does other than its layers, as where one "
                "works in place on what is used again; it cannot be stored"
            )
        return spec

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> "Architecture":
        """Undo ``to_spec``; InvalidInputError if ``spec`` is not what it writes.

        No code is run, whatever ``spec`` holds, and a network is not built that takes more memory
        than any whose weights are held as a row.
        """
        if not isinstance(spec, dict) or set(spec) != {"module", "input_shape"}:
            raise InvalidInputError("architecture is no object of module and input_shape")
        shape = spec["input_shape"]
        if shape is not None and not (
            isinstance(shape, (list, tuple)) and all(type(n) is int and n > 0 for n in shape)
        ):
            raise InvalidInputError(
                f"architecture holds input_shape={abbreviated(shape)}; wanted sizes"
            )
        return cls(module_from_spec(spec["module"], shape), input_shape=shape)

    @property
    def n_inputs(self) -> int:
        """Numbers in one input."""
        if self.input_shape is None:
            raise UnsupportedModuleError(
                f"the number of inputs of {self!r} is not known; give input_shape="
            )
        return math.prod(self.input_shape)

    @property
    def n_outputs(self) -> int:
        """Numbers in one output."""
        assert self.n_inputs
        return self.forward_pass.n_outputs

    @property
    def n_weights(self) -> int:
        """The number of weights in a row."""
        return self.layout.n_weights

    @property
    def n_trainable(self) -> int:
        """How many weights of a row, from the first on, training changes."""
        return self.layout.n_trainable

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The names of what a row holds, in its order."""
        return self.layout.names

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of what a row holds, in its order."""
        return self.layout.shapes

    @property
    def slices(self) -> dict[str, slice]:
        """The columns of each parameter in a row."""
        return self.layout.slices

    @cached_property
    def permutation_groups(self) -> tuple[PermutationGroup, ...]:
        """The groups of interchangeable hidden units; UnsupportedModuleError where not known."""
        groups = find_groups(self.forward_pass.steps, self.input_shape)
        if not is_symmetric(self._module, self.layout.by_name, self.input_shape, groups):
            raise UnsupportedModuleError(
                f"the permutation symmetries of {type(self._module).__name__} are not known: it "
                "does other than its layers, as where one works in place on what is used again"
            )
        return groups

    @property
    def template(self) -> nn.Module:
        """A fresh copy of the module, on CPU, in evaluation mode, its weights not meaningful."""
        return copy.deepcopy(self._module)

    def flatten(self, models: Any) -> np.ndarray:
        """Return models as rows.

        Parameters
        ----------
        models : nn.Module, state dict, fitted scikit-learn MLP or linear model, or several of them

        Returns
        -------
        ndarray ``(n_models, n_weights)`` float32

        Raises
        ------
        InvalidInputError
            If a parameter is missing, left over or of another shape; model and parameter are named.
        UnsupportedModuleError
            If a model is of another kind; it is named.
        """
        single = isinstance(models, (nn.Module, Mapping)) or not isinstance(models, Iterable)
        rows = []
        for index, model in enumerate([models] if single else models):
            try:
                rows.append(flatten_model(model, self.parameter_names, self.parameter_shapes))
            except (InvalidInputError, UnsupportedModuleError) as error:
                raise type(error)(f"models[{index}]: {error}") from error
        if not rows:
            raise InvalidInputError("models is empty; wanted at least one model")
        return np.stack(rows)

    def state_dict(self, row) -> dict[str, Tensor]:
        """Return one row ``(n_weights,)`` as a dict from parameter name to tensor."""
        row = owned_tensor(row).reshape(1, -1)
        return {name: p[0].clone() for name, p in self.layout.parameters(row).items()}

    def module(self, row) -> nn.Module:
        """Return a ready module, in evaluation mode, that holds the weights of ``row``."""
        module = copy.deepcopy(self._module)
        module.load_state_dict(self.state_dict(row), strict=False)
        return module.requires_grad_(True)

    def to_sklearn(self, row, like: Any) -> Any:
        """Return a fitted scikit-learn model that holds the weights of ``row``.

        Parameters
        ----------
        row : array ``(n_weights,)``
        like : fitted scikit-learn MLP or linear model
            What is no weight is copied from it: parameters, classes, the type of its weights, and
            what it learned besides, such as a loss curve, which then is not that of the row.

        Raises
        ------
        InvalidInputError
            If ``like`` is of another architecture.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import LinearRegression
        >>> from wsl import Architecture
        >>> like = LinearRegression().fit(np.eye(2), [0.0, 1.0])
        >>> architecture = Architecture.from_sklearn(like)
        >>> model = architecture.to_sklearn([2.0, 3.0, 1.0], like)
        >>> model.predict([[1.0, 1.0]])
        array([6.])
        """
        own = Architecture.from_sklearn(like)
        if own != self:
            raise InvalidInputError(f"like is a {type(like).__name__} of {own!r}; wanted {self!r}")
        return sklearn_model(like, [p.numpy() for p in self.state_dict(row).values()])

    def forward(self, weights, inputs, batch_size: int | None = None):
        """Run every model on the same inputs.

        Parameters
        ----------
        weights : array or Tensor ``(n_models, n_weights)``
            A memory-mapped array is read a few models at a time.
        inputs : array or Tensor ``(n_inputs, n_features)`` or ``(n_inputs, *input_shape)``
        batch_size : int, optional
            Models at a time; by default as many as keep the activations in the cache.

        Returns
        -------
        ``(n_models, n_inputs, n_outputs)``
            A float32 array for arrays; for tensors a tensor on their device, with gradients.
        """
        return self.forward_pass.forward(weights, inputs, batch_size)

    def permute(self, weights, random_state=None):
        """Return the same models with the hidden units of each in a random order of its own.

        Parameters
        ----------
        weights : array or Tensor ``(n_models, n_weights)``
        random_state : int, Generator, RandomState, torch.Generator or None

        Returns
        -------
        array or Tensor ``(n_models, n_weights)``, other rows that compute the same functions

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

    def canonicalize(self, weights, reference=None):
        """Return the same models with their hidden units in one order.

        Parameters
        ----------
        weights : array or Tensor ``(n_models, n_weights)``
        reference : array ``(n_weights,)``, optional
            Align each model to this one by weight matching (Ainsworth et al. 2023, "Git
            Re-Basin", algorithm 1). By default units are sorted by decreasing norm of the
            weights that come into them.

        Returns
        -------
        array or Tensor ``(n_models, n_weights)``

        Raises
        ------
        UnsupportedModuleError
            If the symmetries of the module are not known.

        Notes
        -----
        The running statistics of batch-normalisation layers move along with their units, and do
        not count when units are compared. Models that differ in the order of their units only
        come out equal, unless two units of a model have weights of the same norms and sums.

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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @cached_property
    def _identity(self) -> tuple:
        try:
            function: Any = step_identity(self.forward_pass.steps)
        except UnsupportedModuleError:
            function = repr(self._module)
        return function, self.parameter_names, self.parameter_shapes, self.input_shape

    def __repr__(self) -> str:
        ends = ["?", "?"]
        if self.input_shape is not None:
            ends = [" x ".join(map(str, self.input_shape)), str(self.n_outputs)]
        layers = [ends[0], *layer_names(self._module), ends[1]]
        return f"Architecture({' -> '.join(layers)}, n_weights={self.n_weights})"
