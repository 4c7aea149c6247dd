"""Architectures of common networks by their sizes."""

from collections.abc import Sequence
from typing import Self

from torch import nn

from ._builders import build_cnn, build_mlp


class CommonNetworks:
    """The constructors of ``Architecture`` that take sizes instead of a module."""

    def __init__(self, module: nn.Module):
        raise NotImplementedError

    @classmethod
    def mlp(
        cls,
        n_inputs: int,
        hidden_layer_sizes: int | Sequence[int],
        n_outputs: int,
        activation: str = "relu",
        *,
        features: Sequence[int] | None = None,
        dropout: float | None = None,
    ) -> Self:
        """Return a multi-layer perceptron.

        Parameters
        ----------
        n_inputs : int
            The number of columns that the network takes.
        hidden_layer_sizes : int or sequence of int
            The width of each hidden layer, as in scikit-learn's ``MLPClassifier``; an int is the
            width of a single one, an empty sequence gives a linear model.
        n_outputs : int
            The number of outputs. The output layer is linear.
        activation : str, default="relu"
            "relu", "tanh", "gelu", "silu", "sigmoid", "leaky_relu" or "identity", applied after
            each hidden layer. ReLU is the default of scikit-learn too.
        features : sequence of int, optional
            Indices of the columns that the network uses. By default it uses all.
        dropout : float, optional
            The probability of a Dropout layer after each activation. By default there is none.

        Returns
        -------
        Architecture
            Linear layers with activations between them.
        """
        return cls(
            build_mlp(n_inputs, hidden_layer_sizes, n_outputs, activation, features, dropout)
        )

    @classmethod
    def cnn(
        cls,
        image_shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden_layer_sizes: int | Sequence[int],
        n_outputs: int,
        kernel_size: int | Sequence[int] = 3,
        pool: int | Sequence[int] = 2,
        activation: str = "relu",
        *,
        dropout: float | None = None,
    ) -> Self:
        """Return a small CNN: convolutions with max-pooling, then a multi-layer perceptron.

        Parameters
        ----------
        image_shape : tuple of int
            Channels, height and width of an image. Inputs may also be rows of as many values.
        channels : sequence of int
            The number of output channels of each convolution. They are not padded.
        hidden_layer_sizes : int or sequence of int
            The width of each hidden layer of the perceptron, as in ``mlp``.
        n_outputs : int
            The number of outputs.
        kernel_size : int or sequence of int, default=3
            Side of the kernels, for all convolutions or one per convolution.
        pool : int or sequence of int, default=2
            Side of the pooling windows, for all convolutions or one per convolution; 1 means no
            pooling. An image that is smaller than the window is not pooled.
        activation : str, default="relu"
            The activation after each convolution and hidden layer, as in ``mlp``.
        dropout : float, optional
            The probability of a Dropout layer after each hidden layer of the perceptron.

        Returns
        -------
        Architecture
            The network of these layers.

        Examples
        --------
        The CNN of the MNIST zoos of Schuerholt et al. (2022):

        >>> from wsl import Architecture
        >>> Architecture.cnn((1, 28, 28), [8, 6, 4], 20, 10, [5, 5, 2], [2, 2, 1]).n_weights
        2464
        """
        layers = build_cnn(
            image_shape, channels, hidden_layer_sizes, n_outputs, kernel_size, pool, activation,
            dropout,
        )  # fmt: skip
        return cls(layers)
