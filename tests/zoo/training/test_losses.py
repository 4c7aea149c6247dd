import numpy as np
import pytest
import torch
from torch.nn import functional as F

from wsl.exceptions import InvalidInputError
from wsl.zoo.training._losses import LOSSES, resolve_loss

N_MODELS, N_INPUTS = 4, 7
# loss, number of outputs -> labels of one model's samples
CASES = {
    ("mse", 1): lambda rng: rng.normal(size=N_INPUTS),
    ("mse", 3): lambda rng: rng.normal(size=(N_INPUTS, 3)),
    ("binary", 1): lambda rng: rng.integers(2, size=N_INPUTS),
    ("binary", 2): lambda rng: rng.integers(2, size=(N_INPUTS, 2)),
    ("cross_entropy", 2): lambda rng: rng.integers(2, size=N_INPUTS),
    ("cross_entropy", 5): lambda rng: rng.integers(5, size=N_INPUTS),
}


def oracle(name, output, y):
    """torch's own loss of one sample's outputs, averaged over them."""
    if name == "cross_entropy":
        return F.cross_entropy(output, torch.tensor(y))
    y = torch.tensor(np.atleast_1d(y), dtype=torch.float32)
    return {"mse": F.mse_loss, "binary": F.binary_cross_entropy_with_logits}[name](output, y)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]} of {case[1]}")
def case(request):
    """A loss, outputs ``(n_models, n_inputs, n_outputs)``, labels and targets of each model."""
    name, n_outputs = request.param
    rng = np.random.default_rng(0)
    labels = [CASES[request.param](rng) for _ in range(N_MODELS)]
    targets = torch.stack([LOSSES[name].targets(y, n_outputs) for y in labels])
    outputs = 3 * torch.tensor(rng.normal(size=(N_MODELS, N_INPUTS, n_outputs)), dtype=torch.float)
    return name, outputs, labels, targets


def test_values_are_those_of_torch_sample_by_sample(case):
    name, outputs, labels, targets = case
    values = LOSSES[name].value(outputs, targets)
    assert values.shape == (N_MODELS, N_INPUTS)
    expected = [
        [oracle(name, output, y) for output, y in zip(own, ys, strict=True)]
        for own, ys in zip(outputs, labels, strict=True)
    ]
    torch.testing.assert_close(values, torch.tensor(expected))


def test_gradients_are_those_of_autograd(case):
    name, outputs, _, targets = case
    leaf = outputs.clone().requires_grad_()
    LOSSES[name].value(leaf, targets).sum().backward()
    torch.testing.assert_close(LOSSES[name].gradient(outputs, targets), leaf.grad)


def test_large_logits_stay_finite():
    outputs = torch.tensor([[[1e4, -1e4]], [[-1e4, 1e4]]])
    for name, targets in (("cross_entropy", [[0], [0]]), ("binary", [[[1.0, 0.0]], [[1.0, 0.0]]])):
        values = LOSSES[name].value(outputs, torch.tensor(targets))
        assert torch.isfinite(values).all()
        assert values[0] == 0
        assert values[1] >= 1e4


@pytest.mark.parametrize(
    ("loss", "y", "n_outputs", "named"),
    [
        (
            "mse",
            np.zeros((3, 2)),
            1,
            "`y` must have 1 columns, as the architecture has 1 outputs; got 2",
        ),
        (
            "mse",
            np.zeros(3),
            2,
            "`y` must have 2 columns, as the architecture has 2 outputs; got 1",
        ),
        ("binary", np.array([0, 1, 2]), 1, r"`y` must be labels 0 and 1 .*; got \[0 1 2\]"),
        ("binary", np.array([0.5]), 1, "`y` must be labels 0 and 1"),
        (
            "binary",
            np.array([0, 1]),
            2,
            "`y` must have 2 columns, as the architecture has 2 outputs; got 1",
        ),
        ("cross_entropy", np.array([0, 3]), 3, "whole labels from 0 to 2, .*; got 0 to 3"),
        ("cross_entropy", np.array([-1, 1]), 3, "`y` must be .*; got -1 to 1"),
        ("cross_entropy", np.array([0.5, 1]), 3, "`y` must be whole labels"),
        ("cross_entropy", np.zeros((3, 2), int), 2, r"one per sample, .* shape \(3, 2\)"),
    ],
)
def test_targets_that_do_not_fit_are_named(loss, y, n_outputs, named):
    with pytest.raises(InvalidInputError, match=named):
        LOSSES[loss].targets(y, n_outputs)


@pytest.mark.parametrize(
    ("y", "n_outputs", "expected"),
    [
        (np.zeros(2), 1, "mse"),
        (np.zeros((2, 3), np.float32), 3, "mse"),
        (np.array([0.5, 1]), 3, "mse"),
        (np.array([0, 2], np.float32), 3, "cross_entropy"),
        (np.array([[0.0], [2.0]]), 3, "cross_entropy"),
        (np.zeros(2, int), 1, "binary"),
        (np.zeros(2, bool), 1, "binary"),
        (np.zeros(2, int), 3, "cross_entropy"),
    ],
)
def test_auto_goes_by_the_type_of_the_targets(y, n_outputs, expected):
    assert resolve_loss("auto", y, n_outputs) == expected
    assert resolve_loss("binary", y, n_outputs) == "binary"
