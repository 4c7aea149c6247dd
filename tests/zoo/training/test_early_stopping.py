"""Early stopping against the same training without it, with every epoch as a checkpoint."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from wsl import Architecture, train_zoo
from wsl.causal import PENALTIES, irm_penalty
from wsl.exceptions import InvalidInputError
from wsl.zoo.training._early_stopping import EarlyStopping
from wsl.zoo.training._losses import LOSSES
from wsl.zoo.training._minibatches import membership

N_MODELS, N_SAMPLES, EPOCHS, PATIENCE = 4, 60, 25, 3
OPTIONS = {
    "loss": "cross_entropy",
    "epochs": EPOCHS,
    "batch_size": 16,
    "learning_rate": 0.05,
    "n_iter_no_change": PATIENCE,
    "validation_fraction": 0.25,
}
STOPPING = ("n_iter_no_change", "validation_fraction", "validation", "early_stopping")
ARCHITECTURES = {
    "mlp": Architecture.mlp(4, [8], 3),
    "dropout": Architecture(
        nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
    ),
    "batch norm": Architecture(
        nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    ),
}


def draw_set(seed, n_samples=N_SAMPLES):
    """Labels that are half noise, so that a model begins to remember them soon."""
    rng = np.random.default_rng([seed, 7])
    X = rng.normal(size=(n_samples, 4)).astype("f")
    y = np.where(rng.random(n_samples) < 0.5, np.digitize(X[:, 0], [-0.4, 0.4]), rng.choice(3))
    return X, y, rng.choice(["a", "b", "c"], n_samples, p=[0.5, 0.3, 0.2]), None


SETS = [draw_set(i) for i in range(N_MODELS)]


def cross_entropy(architecture, rows, X, y):
    """The loss of each sample, for each row of weights."""
    logits = log_softmax(architecture.forward(rows, X).astype(float), axis=2)
    return -logits[:, np.arange(len(y)), y]


def stop_by_hand(objective, first=1):
    """The best epoch and the last one, from what each epoch gives on the samples set aside."""
    best, waited = None, 0
    for epoch, value in enumerate(objective, start=1):
        waited += 1
        if epoch <= first or value < best[0]:
            best, waited = (value, epoch), 0
        if waited == PATIENCE:
            return best[1], epoch
    return best[1], EPOCHS


def every_epoch(architecture, dataset, seed, **options):
    """Rows of a model after each epoch, trained with no early stopping."""
    options = {k: v for k, v in (OPTIONS | options).items() if k not in STOPPING}
    return train_zoo(
        architecture, dataset, seeds=[seed], checkpoints=range(1, EPOCHS + 1), **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("validation", ["split", "environment"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_best_weights_on_what_is_set_aside(name, validation):
    architecture = ARCHITECTURES[name]
    stopping = EarlyStopping(validation, OPTIONS["validation_fraction"], PATIENCE)
    zoo = train_zoo(
        architecture, SETS, early_stopping=True, validation=validation, random_state=0, **OPTIONS
    )
    assert zoo.metadata["epoch"].nunique() > 1
    assert zoo.metadata["epoch"].min() < EPOCHS
    for i, row in zoo.metadata.iterrows():
        train, held_out = stopping.split(SETS[i], row["seed"])
        epochs = every_epoch(architecture, train, row["seed"])
        losses = cross_entropy(architecture, epochs.weights, *held_out[:2]).mean(1)
        best, last = stop_by_hand(losses)
        assert (row["best_epoch"], row["epoch"]) == (best, last)
        assert row["validation_loss"] == pytest.approx(losses[best - 1], rel=1e-4)
        np.testing.assert_allclose(zoo.weights[i], epochs.weights[best - 1], atol=1e-5)
        assert row["train_loss"] == pytest.approx(epochs.metadata["train_loss"][last - 1], rel=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty_warmup", [0, 6])
def test_the_penalty_is_part_of_it_from_its_full_weight_on(penalty_warmup, weighted):
    architecture, weights = ARCHITECTURES["mlp"], np.linspace(0, 2, N_SAMPLES)
    dataset = (*SETS[1][:3], weights if weighted else None)
    options = {"penalty": irm_penalty, "penalty_weight": 3.0, "penalty_warmup": penalty_warmup}
    zoo = train_zoo(architecture, dataset, seeds=[11], early_stopping=True, **OPTIONS, **options)
    train, held_out = EarlyStopping("split", 0.25, PATIENCE).split(dataset, 11)
    epochs = every_epoch(architecture, train, 11, **options)
    X, y, environments, w = held_out
    codes = torch.tensor(np.unique(environments, return_inverse=True)[1])[None]
    members = membership(codes, 3, None if w is None else torch.tensor(w)[None])
    losses = cross_entropy(architecture, epochs.weights, X, y)
    outputs = torch.tensor(architecture.forward(epochs.weights, X))
    targets = torch.tensor(y).expand(EPOCHS, -1)
    penalties = irm_penalty(outputs, targets, members.float(), LOSSES["cross_entropy"]).numpy()
    risks = (losses[:, None] * members[:, 0].numpy()).sum(2).mean(1)
    best, last = stop_by_hand(risks + 3.0 * penalties, first=penalty_warmup + 1)
    row = zoo.metadata.iloc[0]
    assert (row["best_epoch"], row["epoch"]) == (best, last)
    np.testing.assert_allclose(zoo.weights[0], epochs.weights[best - 1], atol=1e-5)


def test_a_warm_up_that_is_never_over_keeps_the_last_weights():
    options = OPTIONS | {"penalty": irm_penalty, "penalty_warmup": EPOCHS, "n_iter_no_change": 1}
    zoo = train_zoo(ARCHITECTURES["mlp"], SETS, early_stopping=True, random_state=0, **options)
    assert (zoo.metadata[["epoch", "best_epoch"]] == EPOCHS).all(axis=None)


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [None, *PENALTIES.values()], ids=["None", *PENALTIES])
def test_other_models_chunks_and_workers_change_nothing(penalty):
    """Nor that the others' sets are of other sizes, or that one set is all models'."""
    architecture = ARCHITECTURES["mlp"]
    sets = [*SETS, draw_set(9, 50)]
    options = OPTIONS | {"penalty": penalty, "early_stopping": True, "random_state": 0}
    together = train_zoo(architecture, sets, **options)
    assert together.metadata["epoch"].nunique() > 1
    for more in ({"chunk_size": 1}, {"chunk_size": 2, "n_jobs": 2}):
        apart = train_zoo(architecture, sets, **options, **more)
        np.testing.assert_allclose(apart.weights, together.weights, rtol=1e-3, atol=1e-5)
    shared = train_zoo(architecture, sets[0], n_models=5, **options)
    np.testing.assert_allclose(shared.weights[0], together.weights[0], rtol=1e-3, atol=1e-5)
    assert len(np.unique(shared.weights, axis=0)) == 5


def test_checkpoints_hold_the_best_until_then():
    options = OPTIONS | {"early_stopping": True, "random_state": 0}
    architecture = ARCHITECTURES["mlp"]
    zoo = train_zoo(architecture, SETS, checkpoints=[0, 2, EPOCHS], **options)
    two = train_zoo(architecture, SETS, **options | {"epochs": 2})
    last = train_zoo(architecture, SETS, **options)
    np.testing.assert_array_equal(zoo.weights[1::3], two.weights)
    np.testing.assert_array_equal(zoo.weights[2::3], last.weights)
    assert zoo.metadata["best_epoch"][0::3].eq(0).all()
    assert zoo.metadata["validation_loss"][0::3].eq(np.inf).all()


def test_a_run_that_was_broken_off_knows_its_stopping(tmp_path):
    options = OPTIONS | {"early_stopping": True, "random_state": 0, "out": tmp_path / "zoo"}
    zoo = train_zoo(ARCHITECTURES["mlp"], SETS, **options)
    again = train_zoo(ARCHITECTURES["mlp"], SETS, **options)
    assert again.metadata.equals(zoo.metadata)
    with pytest.raises(OSError, match="another"):
        train_zoo(ARCHITECTURES["mlp"], SETS, **options | {"n_iter_no_change": 7})


# --- what is set aside


def test_a_split_takes_its_share_of_every_environment():
    environments = np.repeat(["a", "b", "c", "d"], [40, 20, 3, 1])
    index = np.arange(len(environments))
    X = index[:, None].astype("f")
    weights = np.where(index % 2 == 0, 0.0, 1.0)
    stopping = EarlyStopping("split", 0.25, 3)
    seen = set()
    for seed in range(20):
        train, held_out = stopping.split((X, index, environments, None), seed)
        np.testing.assert_array_equal(np.sort(np.r_[train[1], held_out[1]]), index)
        assert np.unique(held_out[2], return_counts=True)[1].tolist() == [10, 5, 1]
        for part in (train, held_out):
            np.testing.assert_array_equal(part[0][:, 0], part[1])
            np.testing.assert_array_equal(part[2], environments[part[1]])
            assert (np.diff(part[1]) > 0).all()
        again = stopping.split((X, index, environments, None), seed)
        np.testing.assert_array_equal(again.validation[1], held_out[1])
        counted = stopping.split((X, index, environments, weights), seed).validation
        assert (counted[3] == 1).all()
        assert np.unique(counted[2], return_counts=True)[1].tolist() == [5, 2]
        seen |= set(held_out[1].tolist())
    assert len(seen) > 50


def test_whole_environments():
    environments = np.repeat(np.arange(6), 5)
    X, held_out_of = np.zeros((30, 1), "f"), []
    for seed in range(20):
        train, held_out = EarlyStopping("environment", 1 / 3, 3).split(
            (X, X, environments, None), seed
        )
        assert len(np.unique(held_out[2])) == 2
        assert not set(train[2]) & set(held_out[2])
        assert len(train[2]) + len(held_out[2]) == 30
        held_out_of.append(tuple(np.unique(held_out[2])))
    assert len(set(held_out_of)) > 5
    one = EarlyStopping("environment", 0.01, 3).split((X, X, environments, None), 0)
    assert len(np.unique(one.validation[2])) == 1
    most = EarlyStopping("environment", 0.99, 3).split((X, X, environments, None), 0)
    assert len(np.unique(most.train[2])) == 1


@pytest.mark.parametrize(
    ("validation", "dataset", "named"),
    [
        ("environment", SETS[0][:2], "`datasets` must hold .* validation='environment'; got one"),
        (
            "environment",
            (*SETS[0][:2], np.ones(N_SAMPLES)),
            "`datasets` must hold at least two environments",
        ),
        (
            "split",
            (*SETS[0][:2], np.arange(N_SAMPLES)),
            "an environment of at least two samples with early_stopping",
        ),
    ],
)
def test_nothing_to_hold_out(validation, dataset, named):
    options = OPTIONS | {"early_stopping": True, "validation": validation}
    with pytest.raises(InvalidInputError, match=named):
        train_zoo(ARCHITECTURES["mlp"], dataset, n_models=2, random_state=0, **options)
