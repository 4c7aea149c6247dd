"""Chunks on several workers: the same zoo from every backend, and what is said when one fails."""

import os
import pickle
import signal

import dask
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from dask.distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from wsl import Architecture, train_zoo
from wsl.exceptions import InvalidInputError, TrainingFailedError
from wsl.zoo.training import _parallel

ARCHITECTURE = Architecture.mlp(3, [6], 1)
OPTIONS = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-2, "random_state": 0, "chunk_size": 2}
N_MODELS = 7


def draw_set(seed, n_samples=40):
    rng = np.random.default_rng([seed, 3])
    X = rng.normal(size=(n_samples, 3)).astype("f")
    return X, (X @ [1.0, -1.0, 0.5] > 0).astype(int)


OWN = [draw_set(i, 40 + i % 2) for i in range(N_MODELS)]


@pytest.fixture(scope="module")
def processes():
    """A real cluster of two processes, which gives a task up when two workers died of it."""
    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.worker.daemon": False,
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def cluster(processes):
    """The cluster with both of its workers: joblib asks no cluster of one."""
    processes.wait_for_workers(2, timeout=60)
    return processes


BACKENDS = ["sequential", "threading", "loky", "dask"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Run the test under ``joblib.parallel_config`` of each backend, and return its name."""
    n_jobs = {"sequential": None, "dask": -1}.get(request.param, 2)
    if request.param == "dask":
        request.getfixturevalue("cluster")
    with joblib.parallel_config(backend=request.param, n_jobs=n_jobs):
        yield request.param


@pytest.fixture(scope="module")
def forms():
    """The same data as a list, as a function, and one set for all models."""
    sets = OWN  # caught by value: a worker cannot import this module
    return {"list": sets, "function": lambda model: sets[model], "shared": sets[0]}


@pytest.fixture(scope="module")
def alone(forms):
    """The zoo of one process, for each form of data."""
    extra = {"checkpoints": [0, 2], "stop_at_loss": 0.6, "n_models": N_MODELS}
    options = {name: {**OPTIONS, **extra, "test_set": data} for name, data in forms.items()}
    return {
        name: (train_zoo(ARCHITECTURE, data, **options[name]), options[name])
        for name, data in forms.items()
    }


def assert_close(zoo, other):
    np.testing.assert_allclose(zoo.weights, other.weights, rtol=1e-4, atol=1e-6)
    pd.testing.assert_frame_equal(zoo.metadata, other.metadata, rtol=1e-4)


@pytest.mark.parametrize("form", ["list", "function", "shared"])
def test_every_backend_gives_the_zoo_of_one_process(backend, form, forms, alone):
    expected, options = alone[form]
    assert_close(train_zoo(ARCHITECTURE, forms[form], **options), expected)


def test_neither_chunks_nor_workers_matter(cluster, forms, alone):
    """Without a chunk size, it follows from the number of the cluster's workers."""
    expected, options = alone["list"]
    with joblib.parallel_config(backend="dask"):
        assert joblib.effective_n_jobs(None) == 2
        zoo = train_zoo(ARCHITECTURE, forms["list"], **{**options, "chunk_size": None})
    assert_close(zoo, expected)


@pytest.mark.slow
def test_a_function_draws_where_the_model_is_trained(backend, tmp_path):
    sets = OWN

    def draw(model):
        (tmp_path / f"{model}-{os.getpid()}").touch()
        return sets[model]

    train_zoo(ARCHITECTURE, draw, n_models=N_MODELS, **OPTIONS)
    drawn = [tuple(map(int, file.name.split("-"))) for file in tmp_path.iterdir()]
    workers = {pid for model, pid in drawn if model > 0}  # the first also tells the loss
    assert {model for model, _ in drawn} == set(range(N_MODELS))
    assert (os.getpid() in workers) == (backend in ("sequential", "threading"))


def test_large_sets_are_sent_once(cluster, monkeypatch):
    """Dask's tasks hold what is small, so that another worker can take them over."""
    scattered = []
    scatter = Client.scatter

    def counted(self, data, *args, **options):
        scattered.append(data)
        return scatter(self, data, *args, **options)

    monkeypatch.setattr(Client, "scatter", counted)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2**17, 3)).astype("f"), rng.integers(2, size=2**17)
    options = {**OPTIONS, "batch_size": 2**16, "n_models": 6, "epochs": 1}
    for data in ((X, y), lambda model: (X, y)):
        scattered.clear()
        with joblib.parallel_config(backend="dask"):
            zoo = train_zoo(ARCHITECTURE, data, **options)
        assert len(scattered) == 1
    assert_close(zoo, train_zoo(ARCHITECTURE, (X, y), **options))
    scattered.clear()
    with joblib.parallel_config(backend="dask"):
        train_zoo(ARCHITECTURE, OWN, **OPTIONS)
    assert not scattered


@pytest.mark.slow
def test_a_chunk_keeps_to_one_core():
    seen = []

    def draw(model):
        seen.append(torch.get_num_threads())
        return OWN[model]

    with threadpool_limits(4, user_api="openmp"):
        train_zoo(ARCHITECTURE, draw, n_models=2, **OPTIONS | {"chunk_size": 1})
        with joblib.parallel_config(backend="threading"):
            train_zoo(ARCHITECTURE, draw, n_models=2, n_jobs=2, **OPTIONS | {"chunk_size": 1})
        assert torch.get_num_threads() == 4
    # the sets that the call itself looks at, to learn about the data, are drawn outside a chunk
    assert seen.count(1) >= 4
    assert set(seen) <= {1, 4}


# --- what fails


class AwkwardError(Exception):
    """Pickles, and cannot be read again."""

    def __init__(self, first, second):
        super().__init__(first)


@pytest.mark.slow
def test_a_chunk_that_raises_names_its_models(backend, tmp_path):
    sets = OWN

    def draw(model):
        if model == 3:
            raise ZeroDivisionError("no such model")
        return sets[model]

    with pytest.raises(TrainingFailedError, match=r"2 of 7 .*models \[2, 3\].*no such model") as e:
        train_zoo(ARCHITECTURE, draw, n_models=N_MODELS, out=tmp_path / "zoo", **OPTIONS)
    assert isinstance(e.value, RuntimeError)
    np.testing.assert_array_equal(e.value.models, [2, 3])
    assert isinstance(e.value.__cause__, ZeroDivisionError)
    assert "in draw" in e.value.__cause__.__notes__[0]


@pytest.mark.slow
def test_an_error_that_does_not_pickle_becomes_text():
    class LocalError(Exception):
        pass

    sets = OWN

    def draw(model):
        if model == 3:
            raise LocalError("lost")
        return sets[model]

    for n_jobs in (1, 2):
        with pytest.raises(TrainingFailedError, match="LocalError: lost") as caught:
            train_zoo(ARCHITECTURE, draw, n_models=N_MODELS, n_jobs=n_jobs, **OPTIONS)
        np.testing.assert_array_equal(caught.value.models, [2, 3])
    sent = _parallel._portable(AwkwardError("lost", 1))
    assert type(sent) is RuntimeError
    assert str(sent) == "AwkwardError: lost"


@pytest.mark.slow
def test_the_error_itself_travels():
    error = pickle.loads(pickle.dumps(TrainingFailedError("2 of 7", np.array([2, 3]))))
    assert str(error) == "2 of 7"
    np.testing.assert_array_equal(error.models, [2, 3])


@pytest.mark.slow
def test_what_is_wrong_with_the_data_is_said_as_ever(backend):
    X, y = OWN[5]
    wrong = [*OWN[:5], (X[:, :2], y), OWN[6]]
    with pytest.raises(InvalidInputError, match=r"X of `datasets\[5\]` must have 3 .*; got 2"):
        train_zoo(ARCHITECTURE, wrong, **OPTIONS)


def deadly(sets, parent, folder, n_deaths):
    """Draw sets, but kill the worker that draws for model 3 the first ``n_deaths`` times."""

    def draw(model):
        died = len(list(folder.iterdir()))
        if model == 3 and os.getpid() != parent and died < n_deaths:
            (folder / str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return sets[model]

    return draw


@pytest.mark.slow
def test_a_killed_worker_leaves_the_names_of_what_is_not_trained(tmp_path):
    (tmp_path / "deaths").mkdir()
    draw = deadly(OWN, os.getpid(), tmp_path / "deaths", 1)
    options = {**OPTIONS, "n_models": N_MODELS, "n_jobs": 2, "out": tmp_path / "zoo"}
    with pytest.raises(TrainingFailedError, match="models were not trained") as caught:
        train_zoo(ARCHITECTURE, draw, **options)
    assert {2, 3} <= set(caught.value.models.tolist())
    assert type(caught.value.__cause__).__name__ == "TerminatedWorkerError"
    again = train_zoo(ARCHITECTURE, draw, **{**options, "n_jobs": None})
    assert_close(again, train_zoo(ARCHITECTURE, OWN, **OPTIONS))


@pytest.mark.slow
def test_dask_trains_on_another_worker_what_a_killed_one_left(cluster, tmp_path):
    draw = deadly(OWN, os.getpid(), tmp_path, 1)
    with joblib.parallel_config(backend="dask"):
        zoo = train_zoo(ARCHITECTURE, draw, n_models=N_MODELS, **OPTIONS)
    assert len(list(tmp_path.iterdir())) == 1
    assert_close(zoo, train_zoo(ARCHITECTURE, OWN, **OPTIONS))


@pytest.mark.slow
def test_what_dask_gives_up_is_named_and_not_waited_for(cluster, tmp_path):
    draw = deadly(OWN, os.getpid(), tmp_path, 10)
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(TrainingFailedError, match=r"not trained.*KilledWorker") as caught,
    ):
        train_zoo(ARCHITECTURE, draw, n_models=N_MODELS, **OPTIONS)
    assert {2, 3} <= set(caught.value.models.tolist())  # and what waited on the same workers
    assert len(list(tmp_path.iterdir())) == 2
