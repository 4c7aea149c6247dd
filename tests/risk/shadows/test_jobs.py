"""Copies of estimators with seeds of their own, and torch's generator, which is restored."""

import numpy as np
import torch
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetRegressor
from torch import nn

from wsl import Architecture
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily
from wsl.risk.shadows._drawn_sets import draw_sets
from wsl.risk.shadows._jobs import seeded
from wsl.risk.shadows._trainer import Trainer

CAUSAL = EnvironmentMembershipFamily.linear_causal()


def test_every_seed_in_a_learner_is_set():
    nested = make_pipeline(StandardScaler(), MLPRegressor())
    first, again, other = (seeded(nested, seed) for seed in (1, 1, 2))
    name = "mlpregressor__random_state"
    assert first.get_params()[name] == again.get_params()[name] != other.get_params()[name]
    assert nested.get_params()[name] is None


class Net(nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden, self.last = nn.Linear(2, 4), nn.Linear(4, n_outputs)

    def forward(self, inputs):
        return self.last(torch.relu(self.hidden(inputs)))


def test_skorch_nets_depend_on_the_seed_and_on_no_one_elses_draws():
    net = NeuralNetRegressor(Net, module__n_outputs=1, max_epochs=1, train_split=None, verbose=0)

    def columns(value, n_samples, random_state):
        X, y, _ = CAUSAL.sample(value, n_samples, random_state)
        return X.astype(np.float32), y[:, None].astype(np.float32)

    draws = draw_sets(DistributionFamily.from_function(columns, (0, 1)), 3, 40, 0)
    queries = np.eye(2, dtype=np.float32)
    state = torch.get_rng_state()
    one = Trainer(net, queries).train(draws, 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again, other = (Trainer(net, queries).train(draws, seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.weights, again.weights)
    assert not np.allclose(one.weights, other.weights)
    assert one.architecture == Architecture(Net(1), input_shape=(2,))
    torch.set_rng_state(state)
