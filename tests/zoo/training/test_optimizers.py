import pytest
import torch

from wsl.zoo.training._optimizers import OPTIMIZERS

N_STEPS, N_MODELS, N_WEIGHTS = 50, 4, 6
RATES = [1e-3, 1e-2, 3e-2, 0.1]
DECAYS = [0.0, 0.1, 1e-3, 0.5]
TORCH = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def column(values):
    """One value a model, for each of its weights."""
    return torch.tensor(values, dtype=torch.float64)[:, None].repeat(1, N_WEIGHTS)


@pytest.fixture
def start():
    return torch.randn(
        N_MODELS, N_WEIGHTS, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )


@pytest.fixture
def gradients():
    """One gradient a step, over five orders of magnitude; one weight's is 0 throughout."""
    generator = torch.Generator().manual_seed(1)
    shape = (N_STEPS, N_MODELS, N_WEIGHTS)
    drawn = torch.randn(shape, dtype=torch.float64, generator=generator)
    drawn *= torch.logspace(-3, 2, N_STEPS, dtype=torch.float64)[:, None, None]
    drawn[..., -1] = 0
    return drawn


def by_torch(name, row, gradients, rate, decay):
    row = row.clone().requires_grad_()
    optimizer = TORCH[name]([row], lr=rate, weight_decay=decay)
    for gradient in gradients:
        row.grad = gradient.clone()
        optimizer.step()
    return row.detach()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_model_moves_as_under_torch(name, start, gradients):
    weights = start.clone()
    optimizer = OPTIMIZERS[name](column(RATES), column(DECAYS))
    for gradient in gradients:
        optimizer.step(weights, gradient.clone())
    expected = [
        by_torch(name, start[i], gradients[:, i], RATES[i], DECAYS[i]) for i in range(N_MODELS)
    ]
    torch.testing.assert_close(weights, torch.stack(expected), rtol=1e-9, atol=1e-10)
    assert (weights != start).any(1).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_models_that_leave_do_not_change_the_others(name, start, gradients):
    optimizer = OPTIMIZERS[name](column(RATES), column(DECAYS))
    weights, kept = start.clone(), torch.tensor([3, 1])
    for gradient in gradients[:20]:
        optimizer.step(weights, gradient.clone())
    optimizer.select(lambda values: values[kept])
    weights = weights[kept]
    for gradient in gradients[20:]:
        optimizer.step(weights, gradient[kept].clone())
    expected = [by_torch(name, start[i], gradients[:, i], RATES[i], DECAYS[i]) for i in kept]
    torch.testing.assert_close(weights, torch.stack(expected), rtol=1e-9, atol=1e-10)
