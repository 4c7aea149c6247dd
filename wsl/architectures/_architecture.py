"""``Architecture``: what a row of weights means.

How many models are run lives in ``_forward`` and below it, the symmetries in ``_symmetry``, what a
module must be in ``_template``.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .._random import resolve_random_state, torch_generator
from .._validation import check_n_columns, check_rows, owned_tensor
from ..exceptions import InvalidInputError, UnsupportedModuleError
from ._builders import build_cnn, build_mlp, replace_activations
from ._conversion import flatten_model, sklearn_model, sklearn_module
from ._template import (
    first_shape,
    largest_value,
    layer_names,
    make_template,
    refuse_unsupported,
    running_statistics,
    uses_batch_statistics,
)
from .forward._context import Memory, Training
from .forward._execute import forward_models, plan_steps, run_each
from .forward._forward import run_rows
from .spec._layer_spec import abbreviated
from .spec._module_spec import module_from_spec, module_to_spec, step_identity
from .symmetry import _weight_matching
from .symmetry._permutation_groups import find_groups
from .symmetry._permute import reorder_rows
from .symmetry._unit_tracking import PermutationGroup
from .tracing._trace import Step, trace
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
        trained = dict(self._module.named_parameters())
        parameters = trained | running_statistics(self._module)
        self.n_trainable = sum(p.numel() for p in trained.values())
        self.parameter_names = tuple(parameters)
        self.parameter_shapes = tuple(tuple(p.shape) for p in parameters.values())
        stops = np.cumsum([p.numel() for p in parameters.values()]).tolist()
        self.slices = {
            name: slice(start, stop)
            for name, start, stop in zip(parameters, [0, *stops[:-1]], stops, strict=True)
        }
        self.n_weights: int = stops[-1]

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
            known = agrees(self._module, self._shapes, self.input_shape, run)
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

    @cached_property
    def n_outputs(self) -> int:
        """Numbers in one output."""
        assert self.n_inputs
        with torch.no_grad():
            return self._module(torch.zeros(2, *(self.input_shape or ()))).flatten(1).shape[1]

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return dict(zip(self.parameter_names, self.parameter_shapes, strict=True))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The module's graph; UnsupportedModuleError, with the reason, if it cannot be traced."""
        return trace(self._module)

    @cached_property
    def permutation_groups(self) -> tuple[PermutationGroup, ...]:
        """The groups of interchangeable hidden units; UnsupportedModuleError where not known."""
        groups = find_groups(self.steps, self.input_shape)
        if not is_symmetric(self._module, self._shapes, self.input_shape, groups):
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
        return {name: p[0].clone() for name, p in self.parameters(row).items()}

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

    def parameters(self, weights: Tensor) -> dict[str, Tensor]:
        """View rows ``(n_models, n_weights)`` as parameters ``(n_models, *shape)``."""
        check_n_columns(weights, self.n_weights)
        return {
            name: weights[:, self.slices[name]].unflatten(1, shape)
            for name, shape in zip(self.parameter_names, self.parameter_shapes, strict=True)
        }

    def rows(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """Join parameters ``(n_models, *shape)`` to rows ``(n_models, n_weights)``."""
        return torch.cat([parameters[name].flatten(1) for name in self.parameter_names], dim=1)

    def shape_inputs(self, inputs: Tensor, n_leading: int = 1) -> Tensor:
        """Give flat inputs, after ``n_leading`` axes, the shape that the module takes."""
        if self.input_shape is None:
            return inputs
        flat = inputs.flatten(n_leading)
        if flat.shape[-1] != self.n_inputs:
            raise InvalidInputError(
                f"inputs has {flat.shape[-1]} features, but the architecture takes {self.n_inputs}"
            )
        return flat.unflatten(n_leading, self.input_shape)

    @cached_property
    def plan(self) -> tuple[Step, ...] | None:
        """How many models are run at once; None where the module itself has to be, under vmap."""
        try:
            planned = plan_steps(self.steps, self.parameter_names)
        except UnsupportedModuleError:
            return None
        if planned is None:
            return None
        run = partial(forward_models, self._module, planned)
        tried = agrees(self._module, self._shapes, self.input_shape, run)
        return planned if tried else None

    @cached_property
    def inputs_are_apart(self) -> bool:
        """Whether an input's output does not depend on the other inputs."""
        return not uses_batch_statistics(self._module)

    def run(
        self, parameters: Mapping[str, Tensor], inputs: Tensor, memory: Memory | None = None
    ) -> Tensor:
        """Run models on inputs ``(n_models or 1, n_inputs, *input_shape)``, all at once."""
        return forward_models(self._module, self.plan, parameters, inputs, memory=memory).flatten(2)

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
        return run_rows(self, weights, inputs, batch_size)

    def forward_parameters(
        self,
        parameters: Mapping[str, Tensor],
        inputs: Tensor,
        training: Training | None = None,
        before: Callable[[Step, list[Tensor]], None] | None = None,
    ) -> Tensor:
        """Run each model, given by its parameters ``(n_models, *shape)``, on inputs of its own.

        ``inputs`` is ``(n_models, n_inputs, ...)``, or ``(1, n_inputs, ...)`` if shared; ``before``
        is called before each layer is run, where layers are run one by one.
        """
        shaped = self.shape_inputs(inputs, n_leading=2)
        return forward_models(
            self._module, self.plan, parameters, shaped, training, before=before
        ).flatten(2)

    def forward_each(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """Run each row ``(n_models, n_weights)`` on inputs of its own; tensors only."""
        return self.forward_parameters(self.parameters(weights), inputs)

    @cached_property
    def activation_size(self) -> int:
        """The most numbers that one layer holds for one input; decides how a zoo is chunked."""
        if self.input_shape is None:
            return self.n_weights
        return largest_value(self.template, self.input_shape)

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
        orders = _weight_matching.random_orders(self.permutation_groups, len(weights), generator)
        return reorder_rows(self, weights, lambda parameters, models: [o[models] for o in orders])

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
            return reorder_rows(
                self, weights, lambda own, models: _weight_matching.sorted_orders(own, groups)
            )
        row = reference if isinstance(reference, Tensor) else owned_tensor(check_rows([reference]))
        device = weights.device if isinstance(weights, Tensor) else "cpu"
        anchor = self.parameters(row.detach().to(device).reshape(1, -1))
        return reorder_rows(
            self, weights, lambda own, models: _weight_matching.aligned_orders(own, groups, anchor)
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @cached_property
    def _identity(self) -> tuple:
        try:
            function: Any = step_identity(self.steps)
        except UnsupportedModuleError:
            function = repr(self._module)
        return function, self.parameter_names, self.parameter_shapes, self.input_shape

    def __repr__(self) -> str:
        ends = ["?", "?"]
        if self.input_shape is not None:
            ends = [" x ".join(map(str, self.input_shape)), str(self.n_outputs)]
        layers = [ends[0], *layer_names(self._module), ends[1]]
        return f"Architecture({' -> '.join(layers)}, n_weights={self.n_weights})"
