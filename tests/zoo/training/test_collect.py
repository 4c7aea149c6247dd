"""``train_zoo(out=...)``: the zoo in a folder, and what an interrupted run leaves behind."""

import signal
import subprocess
import sys
import tracemalloc
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from wsl import Architecture, ModelZoo, train_zoo
from wsl.causal import irm_penalty
from wsl.exceptions import InvalidInputError, TrainingFailedError, ZooFileError
from wsl.zoo.training import _chunk, _collect
from wsl.zoo.training._collect import _missing_chunks

ARCHITECTURE = Architecture.mlp(3, [6], 1)
N_MODELS = 7


def draw_set(seed, n_samples=40):
    rng = np.random.default_rng([seed, 5])
    X = rng.normal(size=(n_samples, 3)).astype("f")
    return X, (X @ [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=n_samples)).astype("f")


OWN = [draw_set(i) for i in range(N_MODELS)]
OPTIONS = {
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": np.linspace(0.01, 0.02, N_MODELS),
    "checkpoints": [0, 2],
    "random_state": 0,
    "chunk_size": 2,
    "test_set": draw_set(99),
}


@pytest.fixture(scope="module")
def whole():
    """The zoo of a run that nothing broke off, in memory."""
    return train_zoo(ARCHITECTURE, OWN, **OPTIONS)


@pytest.fixture
def trained(monkeypatch):
    """Indices of the models that are trained from here on."""
    seen = []
    train = _chunk._train

    def recorded(job, models, sets):
        seen.extend(models.table["model"].tolist())
        return train(job, models, sets)

    monkeypatch.setattr(_chunk, "_train", recorded)
    return seen


def assert_same(zoo, other):
    np.testing.assert_array_equal(zoo.weights, other.weights)
    pd.testing.assert_frame_equal(zoo.metadata, other.metadata, check_exact=True)
    assert zoo.architecture == other.architecture


def test_a_folder_holds_what_memory_would(whole, tmp_path, trained):
    zoo = train_zoo(ARCHITECTURE, OWN, out=tmp_path, **OPTIONS)
    assert isinstance(zoo.weights, np.memmap)
    assert_same(zoo, whole)
    assert_same(ModelZoo.load(tmp_path), whole)
    assert sorted(trained) == list(range(N_MODELS))
    again = train_zoo(ARCHITECTURE, OWN, out=str(tmp_path), **OPTIONS)
    assert_same(again, whole)
    assert len(trained) == N_MODELS, "a finished zoo is read, not trained"


def test_an_architecture_that_is_not_stored(tmp_path):
    class Custom(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 1)

        def forward(self, x):
            return self.layer(x)

    zoo = train_zoo(Architecture(Custom(), input_shape=(3,)), OWN, out=tmp_path, **OPTIONS)
    assert zoo.forward(np.ones((4, 3))).shape == (2 * N_MODELS, 4, 1)


def test_memory_is_bounded_by_a_chunk(tmp_path):
    architecture = Architecture.mlp(50, [100], 1)
    options = {"n_models": 200, "epochs": 0, "random_state": 0, "chunk_size": 10}
    dataset = np.zeros((4, 50)), np.zeros(4)
    peaks = []
    for extra in ({}, {"out": tmp_path}):
        tracemalloc.start()
        zoo = train_zoo(architecture, dataset, **options, **extra)
        peaks.append(tracemalloc.get_traced_memory()[1] / zoo.weights.nbytes)
        tracemalloc.stop()
    assert peaks[0] > 1
    assert peaks[1] < 0.5


# --- a run that is broken off

KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
import numpy as np
from wsl import Architecture, train_zoo
from wsl.zoo.storage._writer import ZooWriter

write, n_written = ZooWriter.write, 0
def write_and_die(self, *args):
    global n_written
    write(self, *args)
    n_written += 1
    if n_written == 2:
        os.kill(os.getpid(), signal.SIGKILL)
ZooWriter.write = write_and_die
sets = np.load({file!r})
own = [(sets["X"][i], sets["y"][i]) for i in range({n})]
test = sets["X_test"], sets["y_test"]
train_zoo(Architecture.mlp(3, [6], 1), own, out={out!r}, epochs=2, batch_size=16,
          learning_rate=np.linspace(0.01, 0.02, {n}), checkpoints=[0, 2], random_state=0,
          chunk_size=2, test_set=test)
"""


@pytest.mark.slow
def test_a_killed_run_is_taken_up(whole, tmp_path, trained):
    out, file = tmp_path / "zoo", tmp_path / "sets.npz"
    X_test, y_test = OPTIONS["test_set"]
    sets = {"X": [X for X, _ in OWN], "y": [y for _, y in OWN], "X_test": X_test, "y_test": y_test}
    np.savez(file, **sets)
    code = KILLED.format(path=sys.path, file=str(file), out=str(out), n=N_MODELS)
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with pytest.raises(ZooFileError):
        ModelZoo.load(out)
    assert_same(train_zoo(ARCHITECTURE, OWN, out=out, **OPTIONS), whole)
    assert sorted(trained) == [4, 5, 6], "chunks on disk are not trained again"


def test_other_chunks_may_take_it_up(whole, tmp_path, trained):
    class Stop(BaseException):
        pass

    broken = broken_off(Stop(), at=4)
    with pytest.raises(Stop):
        train_zoo(ARCHITECTURE, broken, n_models=N_MODELS, out=tmp_path, **OPTIONS)
    trained.clear()
    options = OPTIONS | {"chunk_size": 5}
    zoo = train_zoo(ARCHITECTURE, broken, n_models=N_MODELS, out=tmp_path, **options)
    assert sorted(trained) == [4, 5, 6]
    np.testing.assert_allclose(zoo.weights, whole.weights, rtol=1e-4, atol=1e-6)


def broken_off(error, at):
    """Draw sets, and raise an error at one model the first time only."""
    raised = []

    def draw(model):
        if model == at and not raised:
            raised.append(model)
            raise error
        return OWN[model]

    return draw


@pytest.mark.parametrize("error", [KeyboardInterrupt(), InvalidInputError("no such property")])
def test_what_is_finished_stays_when_a_run_is_stopped(error, whole, tmp_path, trained):
    broken = broken_off(error, at=2)
    with pytest.raises(type(error)):
        train_zoo(ARCHITECTURE, broken, n_models=N_MODELS, out=tmp_path, **OPTIONS)
    assert not (tmp_path / "zoo.json").exists()
    trained.clear()
    assert_same(train_zoo(ARCHITECTURE, broken, n_models=N_MODELS, out=tmp_path, **OPTIONS), whole)
    assert sorted(trained) == [2, 3, 4, 5, 6]


def test_a_failed_chunk_holds_up_no_other(whole, tmp_path, trained):
    broken = broken_off(MemoryError("for a moment"), at=3)
    with pytest.raises(TrainingFailedError) as caught:
        train_zoo(ARCHITECTURE, broken, n_models=N_MODELS, out=tmp_path, **OPTIONS)
    np.testing.assert_array_equal(caught.value.models, [2, 3])
    assert sorted(trained) == [0, 1, 4, 5, 6]
    trained.clear()
    assert_same(train_zoo(ARCHITECTURE, broken, n_models=N_MODELS, out=tmp_path, **OPTIONS), whole)
    assert trained == [2, 3]


def test_the_bar_starts_where_the_last_run_stopped(tmp_path, capsys):
    broken = broken_off(KeyboardInterrupt(), at=2)
    options = OPTIONS | {"n_models": N_MODELS, "out": tmp_path, "progress": True}
    with pytest.raises(KeyboardInterrupt):
        train_zoo(ARCHITECTURE, broken, **options)
    capsys.readouterr()
    train_zoo(ARCHITECTURE, broken, **options)
    assert "7/7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        ([], [(0, 3), (3, 6), (6, 7)]),
        ([(0, 3)], [(3, 6), (6, 7)]),
        ([(3, 6)], [(0, 3), (6, 7)]),
        ([(1, 2), (6, 7)], [(0, 1), (2, 5), (5, 6)]),
        ([(0, 7)], []),
    ],
)
def test_what_is_missing_is_cut_into_chunks(done, expected):
    assert list(_missing_chunks(done, 7, 3)) == expected


# --- only the same training is resumed

X, Y = draw_set(0)
OTHER_Y = np.where(np.arange(40) == 17, Y + np.float32(1e-6), Y)
ENVIRONMENTS = np.arange(40) % 2
PLAIN = {
    "architecture": ARCHITECTURE,
    "datasets": (X, Y, ENVIRONMENTS),
    "n_models": 2,
    "epochs": 1,
    "batch_size": None,
    "seeds": [1, 2],
    "test_set": (X, Y),
    "penalty": irm_penalty,
}
CHANGES = {
    "activation": {"architecture": Architecture.mlp(3, [6], 1, activation="tanh")},
    "width": {"architecture": Architecture.mlp(3, [5], 1)},
    "samples": {"datasets": (X + np.float32(1e-6), Y, ENVIRONMENTS)},
    "targets": {"datasets": (X, OTHER_Y, ENVIRONMENTS)},
    "environments": {"datasets": (X, Y, 1 - ENVIRONMENTS)},
    "a set for each": {"datasets": [(X, Y, ENVIRONMENTS)] * 2},
    "n_models": {"n_models": 3, "seeds": [1, 2, 3]},
    "loss": {
        "loss": "binary",
        "datasets": (X, (Y > 0).astype(float), ENVIRONMENTS),
        "test_set": (X, (Y > 0).astype(float)),
    },
    "epochs": {"epochs": 2},
    "batch_size": {"batch_size": 8},
    "learning_rate": {"learning_rate": 0.1},
    "one weight decay": {"weight_decay": [0.0, 0.1]},
    "optimizer": {"optimizer": "sgd"},
    "no penalty": {"penalty": None},
    "penalty": {"penalty": partial(irm_penalty)},
    "penalty_weight": {"penalty_weight": 2.0},
    "stop_at_loss": {"stop_at_loss": [0.0, 0.1]},
    "checkpoints": {"checkpoints": [0]},
    "scheme": {"init": "lecun_normal"},
    "starts": {"init": np.zeros((2, 31))},
    "other starts": {"init": np.full((2, 31), 0.1)},
    "seeds": {"seeds": [1, 3]},
    "no test set": {"test_set": None},
    "test_set": {"test_set": (X, OTHER_Y)},
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder with the zoo of ``PLAIN``."""
    folder = tmp_path_factory.mktemp("plain")
    train_zoo(**PLAIN, out=folder)
    return folder


@pytest.mark.parametrize("case", CHANGES)
def test_another_training_is_refused(case, plain):
    with pytest.raises(ZooFileError, match="holds a finished zoo of other models"):
        train_zoo(**PLAIN | CHANGES[case], out=plain)


def test_other_starts_are_distinguished(tmp_path):
    train_zoo(**PLAIN | CHANGES["starts"], out=tmp_path)
    with pytest.raises(ZooFileError):
        train_zoo(**PLAIN | CHANGES["other starts"], out=tmp_path)


def test_what_decides_nothing_may_change(plain, monkeypatch):
    monkeypatch.setattr(_collect, "train_chunks", None)
    copies = (X.copy(), Y.copy(), ENVIRONMENTS.copy())
    same = {"datasets": copies, "test_set": copies[:2], "seeds": np.array([1, 2]), "chunk_size": 1}
    same |= {"epochs": np.int64(1), "penalty_weight": np.float32(1), "n_models": np.int64(2)}
    same |= {"n_jobs": 2, "learning_rate": [1e-3, 1e-3], "random_state": 5, "progress": True}
    assert len(train_zoo(**PLAIN | same, out=plain)) == 2


def test_a_function_is_recognized_by_its_name_and_two_sets(tmp_path):
    sets = [list(draw_set(i)) for i in range(3)]

    def draw(model):
        return tuple(sets[model])

    options = {"n_models": 3, "epochs": 1, "random_state": 0, "out": tmp_path}
    train_zoo(ARCHITECTURE, draw, **options)
    train_zoo(ARCHITECTURE, draw, **options)
    with pytest.raises(ZooFileError):
        train_zoo(ARCHITECTURE, lambda model: tuple(sets[model]), **options)
    sets[2][1] = sets[2][1] + 1
    with pytest.raises(ZooFileError):
        train_zoo(ARCHITECTURE, draw, **options)


def test_numbers_may_come_from_numpy(tmp_path):
    for number in (8, np.int64(8)):
        options = {"batch_size": number, "epochs": 1, "random_state": np.int64(0)}
        assert len(train_zoo(ARCHITECTURE, OWN, out=tmp_path, **options)) == N_MODELS


def test_seeds_that_cannot_be_drawn_again_are_refused(tmp_path):
    with pytest.raises(
        InvalidInputError, match=r"`random_state` must be an int with `out`.*; got None"
    ):
        train_zoo(ARCHITECTURE, OWN, epochs=1, out=tmp_path)
    train_zoo(ARCHITECTURE, OWN, epochs=1, seeds=range(N_MODELS), out=tmp_path)
