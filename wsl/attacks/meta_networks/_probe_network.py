"""A network that reads models through their responses to learned inputs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..._seeded_modules import SeededDropout, seeded_module
from ...architectures import Architecture
from ._deepsets_network import MetaNetwork, relu_layers


class ProbeNetwork(MetaNetwork):
    """Run every model on the same learned probes, and read the responses.

    Parameters
    ----------
    architecture : Architecture or None
        If None, rows are responses already.
    probes : Tensor of shape (n_probes, n_inputs)
        Initial probes.
    n_responses : int
        Number of responses per model, over all probes and outputs.
    n_outputs : int
        Number of outputs of this network.
    hidden_layer_sizes : tuple of int
        Widths of the hidden layers that read the responses.
    dropout : float
        Fraction of the responses that is dropped in each training step.
    generator : torch.Generator
        On CPU; draws initial weights and dropout masks.

    Notes
    -----
    With the responses ``a_k = f_w(x_k)`` of the model ``w`` to the probes ``x_k``, normalised over
    models, the output is ``A a + B h(a)`` with a multi-layer perceptron h. Gradients reach the
    probes through all models of a batch at once.
    """

    def __init__(
        self,
        architecture: Architecture | None,
        probes: Tensor,
        n_responses: int,
        n_outputs: int,
        *,
        hidden_layer_sizes: Sequence[int],
        dropout: float,
        generator: torch.Generator,
    ):
        super().__init__()
        self.architecture = architecture
        self.probes = nn.Parameter(probes)
        self.norm = nn.BatchNorm1d(n_responses, affine=False)
        self.dropout = SeededDropout(dropout, generator)
        self.nonlinear = relu_layers([n_responses, *hidden_layer_sizes], generator)
        self.nonlinear.append(nn.BatchNorm1d(hidden_layer_sizes[-1], affine=False))
        n_features = n_responses + hidden_layer_sizes[-1]
        self.output = seeded_module(lambda: nn.Linear(n_features, n_outputs), generator)
        n_weights = n_responses if architecture is None else architecture.n_weights
        self.model_bytes = 4 * (n_weights + 3 * n_responses + 2 * sum(hidden_layer_sizes))

    def prepare(self, rows: Tensor) -> Tensor:
        """Bring rows ``(n_models, n_weights)`` to the device of the network."""
        return rows.to(self.output.weight.device)

    def forward(self, prepared: Tensor) -> Tensor:
        """Return ``(n_models, n_outputs)`` for rows ``(n_models, n_weights)``."""
        responses = prepared
        if self.architecture is not None:
            responses = self.architecture.forward(prepared, self.probes).flatten(1)
        responses = self.dropout(self.norm(responses))
        return self.output(torch.cat([responses, self.nonlinear(responses)], dim=1))
