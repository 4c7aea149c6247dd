"""Copies of estimators with seeds of their own, and torch's generator, which is restored."""

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetRegressor
from torch import nn

from wsl import Architecture
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily
from wsl.risk import Adversary, audit
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


def columns(value, n_samples, random_state):
    X, y, _ = CAUSAL.sample(value, n_samples, random_state)
    return X.astype(np.float32), y[:, None].astype(np.float32)


NETS = DistributionFamily.from_function(columns, (0, 1))
NET = NeuralNetRegressor(Net, module__n_outputs=1, max_epochs=1, train_split=None, verbose=0)


@pytest.mark.parametrize(
    "learner",
    [NET, make_pipeline(StandardScaler(), NET), GridSearchCV(NET, {"lr": [0.01, 0.1]}, cv=2)],
    ids=["net", "pipeline", "search"],
)
def test_skorch_nets_in_threads_are_those_in_a_row(learner):
    draws, queries = draw_sets(NETS, 4, 40, 0), np.eye(2, dtype=np.float32)
    in_a_row = Trainer(learner, queries).train(draws, 0)
    state = torch.get_rng_state()
    torch.rand(3)
    with joblib.parallel_config(backend="threading", n_jobs=4):
        in_threads = Trainer(learner, queries).train(draws, 0)
    torch.set_rng_state(state)
    np.testing.assert_array_equal(in_threads.responses, in_a_row.responses)
    assert len(np.unique(in_a_row.responses)) == in_a_row.responses.size


@pytest.mark.parametrize("attack", ["deepsets", "probes"])
def test_audits_in_threads_are_those_in_a_row(attack):
    options = {
        "adversary": Adversary(n_shadows=16, n_queries=8), "n_targets": 8, "n_samples": 60,
        "n_repeats": 4, "random_state": 0, "progress": False, "attacks": attack,
    }  # fmt: skip
    in_a_row = audit(LinearRegression(), CAUSAL, **options)
    state = torch.get_rng_state()
    with joblib.parallel_config(backend="threading", n_jobs=4):
        in_threads = audit(LinearRegression(), CAUSAL, **options)
    assert torch.equal(torch.get_rng_state(), state)
    pd.testing.assert_frame_equal(in_threads.table, in_a_row.table)
    np.testing.assert_array_equal(in_threads.guesses[attack], in_a_row.guesses[attack])


def test_skorch_nets_depend_on_the_seed_and_on_no_one_elses_draws():
    draws = draw_sets(NETS, 3, 40, 0)
    queries = np.eye(2, dtype=np.float32)
    state = torch.get_rng_state()
    one = Trainer(NET, queries).train(draws, 0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again, other = (Trainer(NET, queries).train(draws, seed) for seed in (0, 1))
    np.testing.assert_array_equal(one.weights, again.weights)
    assert not np.allclose(one.weights, other.weights)
    assert one.architecture == Architecture(Net(1), input_shape=(2,))
    torch.set_rng_state(state)
