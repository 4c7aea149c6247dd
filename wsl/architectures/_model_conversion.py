"""Models as rows and rows as models: modules, state dicts, fitted models of scikit-learn."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from torch import Tensor, nn

from .._torch_defaults import torch_defaults
from .._validation import owned_tensor
from ..exceptions import InvalidInputError
from ._conversion import RowReader, sklearn_model, sklearn_module
from ._parameter_layout import ParameterLayout


class ModelConversion:
    """The methods of ``Architecture`` that take or return single models."""

    _module: nn.Module
    layout: ParameterLayout

    def __init__(self, module: nn.Module):
        raise NotImplementedError

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Return the architecture of a fitted scikit-learn model.

        Parameters
        ----------
        model : fitted MLP or linear model of scikit-learn
            The model whose sizes and activation are taken.

        Returns
        -------
        Architecture
            Its outputs are the decision values: what comes before the softmax or sigmoid.
        """
        return cls(sklearn_module(model))

    def flatten(self, models: Any) -> np.ndarray:
        """Return models as rows.

        Parameters
        ----------
        models : nn.Module, state dict, fitted scikit-learn MLP or linear model, or several of them
            One model, or an iterable of models, of this architecture.

        Returns
        -------
        ndarray of shape (n_models, n_weights)
            One row per model, float32.

        Raises
        ------
        InvalidInputError
            If a parameter is missing, unknown or of another shape; model and parameter are named.
        UnsupportedModuleError
            If a model is of another kind; it is named.
        """
        single = isinstance(models, (nn.Module, Mapping)) or not isinstance(models, Iterable)
        return RowReader(self.layout, self._module).rows([models] if single else models)

    def state_dict(self, row) -> dict[str, Tensor]:
        """Return one row as a state dict.

        Parameters
        ----------
        row : array-like of shape (n_weights,)
            The weights of one model.

        Returns
        -------
        dict of str to Tensor
            Parameters and running statistics by name.
        """
        row = owned_tensor(row).reshape(1, -1)
        return {name: p[0].clone() for name, p in self.layout.parameters(row).items()}

    @torch_defaults()
    def module(self, row) -> nn.Module:
        """Return one row as a module that is ready to use.

        Parameters
        ----------
        row : array-like of shape (n_weights,)
            The weights of one model.

        Returns
        -------
        nn.Module
            A module in evaluation mode that holds the weights.
        """
        module = copy.deepcopy(self._module)
        module.load_state_dict(self.state_dict(row), strict=False)
        return module.requires_grad_(True)

    def to_sklearn(self, row, like: Any) -> Any:
        """Return one row as a fitted scikit-learn model.

        Parameters
        ----------
        row : array-like of shape (n_weights,)
            The weights of one model.
        like : fitted MLP or linear model of scikit-learn
            A model of this architecture. Everything but the weights is copied from it: parameters,
            classes, the dtype of the weights and other attributes, such as a loss curve.

        Returns
        -------
        estimator
            A fitted copy of ``like`` that holds the weights.

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
        expected = type(self).from_sklearn(like)
        if expected != self:
            raise InvalidInputError(
                f"`like` must be of {self!r}; got a {type(like).__name__} of {expected!r}."
            )
        return sklearn_model(like, [p.numpy() for p in self.state_dict(row).values()])
