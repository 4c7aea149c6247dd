"""``ProbeNetwork``: a network that reads models by what they answer to inputs that it learns.

Training lives in ``_training``, the scikit-learn side in ``_probes``.
"""

import torch
from torch import Tensor, nn

from ...architectures import Architecture
from ._deepsets_network import MetaNetwork


class ProbeNetwork(MetaNetwork):
    """Ask every model the same learned questions, and read the answers.

    Parameters
    ----------
    architecture : Architecture or None
        Without one, rows are answers already.
    probes : Tensor ``(n_probes, n_inputs)``
        Where the probes start.
    n_answers, n_outputs : int
        How many numbers a model answers in all, and how many are wanted of it.
    hidden : int
        Width of the hidden layer that reads the answers.
    dropout : float
        Share of the answers that is left out at each training step.

    Notes
    -----
    With the answers ``a_k = f_w(x_k)`` of the model ``w`` to the probes ``x_k``, normalised over
    models, the output is ``A a + B relu(C a)``: linear, and bent where that serves. Gradients
    reach the probes through all models of a batch at once.
    """

    def __init__(
        self,
        architecture: Architecture | None,
        probes: Tensor,
        n_answers: int,
        n_outputs: int,
        *,
        hidden: int,
        dropout: float,
    ):
        super().__init__()
        self.architecture = architecture
        self.probes = nn.Parameter(probes)
        self.norm = nn.BatchNorm1d(n_answers, affine=False)
        self.dropout = nn.Dropout(dropout)
        self.bend = nn.Sequential(
            nn.Linear(n_answers, hidden), nn.ReLU(), nn.BatchNorm1d(hidden, affine=False)
        )
        self.output = nn.Linear(n_answers + hidden, n_outputs)
        n_weights = n_answers if architecture is None else architecture.n_weights
        self.model_bytes = 4 * (n_weights + 3 * n_answers + 2 * hidden)

    def prepare(self, rows: Tensor) -> Tensor:
        """Bring rows ``(n_models, n_weights)`` to the device of the network."""
        return rows.to(self.output.weight.device)

    def forward(self, prepared: Tensor) -> Tensor:
        """Return ``(n_models, n_outputs)`` for rows ``(n_models, n_weights)``."""
        answers = prepared
        if self.architecture is not None:
            answers = self.architecture.forward(prepared, self.probes).flatten(1)
        answers = self.dropout(self.norm(answers))
        return self.output(torch.cat([answers, self.bend(answers)], dim=1))
