import os
import types
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeRegressor

from wsl import CausalMitigatedRegressor
from wsl._digest import identify
from wsl._random import resolve_random_state
from wsl.distributions import DistributionFamily, EnvironmentMembershipFamily
from wsl.exceptions import DamagedCacheWarning, InvalidInputError
from wsl.risk import Adversary, audit
from wsl.risk.shadows import _cache, _trainer
from wsl.risk.shadows._cache import Cache
from wsl.risk.shadows._drawn_sets import draw_sets
from wsl.risk.shadows._trainer import Trainer

CAUSAL = EnvironmentMembershipFamily.linear_causal()
QUERIES = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
ZOOS = CausalMitigatedRegressor((3,), penalty=None, epochs=1, batch_size=64)
ADVERSARY = Adversary(n_shadows=16, n_queries=8)
QUICK = {
    "attacks": "queries",
    "adversary": ADVERSARY,
    "n_targets": 12,
    "n_samples": 60,
    "n_repeats": 2,
    "random_state": 0,
    "progress": False,
}


@pytest.fixture
def trained(monkeypatch):
    """The indices of models that are trained one by one, as they are."""
    indices, train = [], _trainer.train_single

    def recorded(learner, queries, labels_only, drawn_sets, index, *rest):
        indices.append(index)
        return train(learner, queries, labels_only, drawn_sets, index, *rest)

    monkeypatch.setattr(_trainer, "train_single", recorded)
    return indices


def assert_same(one, other):
    for name in ("properties", "models", "responses", "weights", "classes"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype, name
    assert (one.output, one.architecture) == (other.output, other.architecture)
    assert one.utility.keys() == other.utility.keys()
    for metric, values in one.utility.items():
        np.testing.assert_array_equal(values, other.utility[metric])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("learner", "n_models"), [(LinearRegression(), 70), (DecisionTreeRegressor(), 3), (ZOOS, 20)]
)
def test_what_comes_out_of_the_cache_is_what_went_in(learner, n_models, tmp_path, monkeypatch):
    monkeypatch.setattr(_trainer, "ZOO_CHUNK", 8)
    draws, tests = draw_sets(CAUSAL, n_models, 40, 0), {"own": draw_sets(CAUSAL, n_models, 40, 1)}
    plain, cold, warm = (
        Trainer(learner, QUERIES, cache=cache).train(draws, 5, tests)
        for cache in (None, Cache(tmp_path), Cache(tmp_path))
    )
    assert_same(plain, cold)
    assert_same(plain, warm)
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


def test_classes_and_labels_come_back(tmp_path):
    family = DistributionFamily.from_function(two_words, ("few", "many"))
    draws = draw_sets(family, 6, 50, 0)
    cold, warm = (
        Trainer(LogisticRegression(), QUERIES, True, Cache(tmp_path)).train(draws, 0) for _ in "ab"
    )
    assert_same(cold, warm)
    assert warm.classes.tolist() == ["no", "yes"]
    assert warm.properties.tolist() == draws.properties.tolist()


def two_words(property_value, n_samples, random_state):
    X = resolve_random_state(random_state).normal(size=(n_samples, 2))
    return X, np.where(X[:, 0] > 0, "yes", "no").astype(object)


def test_more_models_train_only_the_further_ones(trained, tmp_path):
    def train(n_models):
        trained.clear()
        trainer = Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path))
        return trainer.train(draw_sets(CAUSAL, n_models, 30, 0), 0)

    few = train(64)
    many = train(70)
    assert trained == list(range(64, 70))
    np.testing.assert_array_equal(few.properties, many.properties[:64])
    np.testing.assert_array_equal(few.responses, many.responses[:64])


def test_an_interrupt_loses_one_chunk(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(_trainer, "CHUNK", 4)
    draws, recorded = draw_sets(CAUSAL, 11, 30, 0), _trainer.train_single

    def interrupted(learner, queries, labels_only, drawn_sets, index, *rest):
        if index == 9:
            raise KeyboardInterrupt
        return recorded(learner, queries, labels_only, drawn_sets, index, *rest)

    monkeypatch.setattr(_trainer, "train_single", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path)).train(draws, 0)
    monkeypatch.setattr(_trainer, "train_single", recorded)
    trained.clear()
    resumed = Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path)).train(draws, 0)
    assert trained == [8, 9, 10]
    assert_same(resumed, Trainer(LinearRegression(), QUERIES).train(draws, 0))


@pytest.mark.parametrize("damage", [b"", b"no archive", None], ids=["empty", "other", "cut"])
def test_a_damaged_file_is_trained_again_and_said(damage, trained, tmp_path):
    draws = draw_sets(CAUSAL, 5, 30, 0)
    trainer = Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path))
    whole = trainer.train(draws, 0)
    (file,) = tmp_path.iterdir()
    contents = file.read_bytes()
    file.write_bytes(contents[: len(contents) // 2] if damage is None else damage)
    trained.clear()
    with pytest.warns(DamagedCacheWarning, match="trained again"):
        assert_same(trainer.train(draws, 0), whole)
    assert len(trained) == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer.train(draws, 0)


def test_pickles_in_a_cache_are_not_read(tmp_path):
    draws = draw_sets(CAUSAL, 5, 30, 0)
    trainer = Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path))
    trainer.train(draws, 0)
    (file,) = tmp_path.iterdir()
    with np.load(file) as read:
        arrays = dict(read)
    with file.open("wb") as opened:
        np.savez(opened, **arrays | {"models": np.array([object()] * 5)})
    with pytest.warns(DamagedCacheWarning, match=r"'models\.npy' cannot be read"):
        trainer.train(draws, 0)


def forged(arrays):
    """The arrays with the checksum that belongs to them."""
    arrays = {name: np.asarray(array) for name, array in arrays.items() if name != "checksum"}
    return arrays | {"checksum": np.array(_cache._checksum(arrays))}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": "0" * 64}, "written under another key, '0000"),
        ({"models": np.arange(4.0)}, "not those of trained models"),
        ({"models": np.arange(1, 5)}, "numbered from 0 to 3"),
        ({"models": np.arange(3)}, "one row per model"),
        ({"responses": np.zeros((4, 7), np.float32)}, "not those of trained models"),
        ({"weights": np.zeros((4, 3, 1), np.float32)}, "not those of trained models"),
        ({"further": np.zeros(4)}, "not those of trained models"),
        ({"output": "loud"}, "must be one of"),
        ({"utility_names": '[["own"]]'}, "not those of trained models"),
        ({"utility_names": '{"own": "r2"}'}, "its list of metrics is not valid"),
        ({"utility_names": "[" * 1000}, "its list of metrics is not valid JSON"),
        ({"architecture": '{"type": "unknown"}'}, "unknown"),
    ],
)
def test_a_file_that_was_changed_with_its_checksum_is_refused(changes, reason, tmp_path):
    draws = draw_sets(CAUSAL, 4, 30, 0)
    Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path)).train(draws, 0)
    (file,) = tmp_path.iterdir()
    with np.load(file) as read:
        arrays = dict(read)
    np.savez(file, **forged(arrays))
    assert Cache(tmp_path).read(file.stem, draws) is not None
    np.savez(file, **forged(arrays | changes))
    with pytest.warns(DamagedCacheWarning, match=reason) as warned:
        assert Cache(tmp_path).read(file.stem, draws) is None
    assert str(file) in str(warned[0].message)
    assert warned[0].filename == __file__


def test_two_files_that_were_exchanged_are_refused(tmp_path):
    draws = draw_sets(CAUSAL, 4, 30, 0)
    populations = [
        Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path)).train(draws, seed)
        for seed in (0, 1)
    ]
    one, other = tmp_path.iterdir()
    spare = one.rename(tmp_path / "spare")
    other.rename(one)
    spare.rename(other)
    for seed, population in enumerate(populations):
        with pytest.warns(DamagedCacheWarning, match="under another key"):
            again = Trainer(LinearRegression(), QUERIES, cache=Cache(tmp_path)).train(draws, seed)
        assert_same(again, population)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    file = tmp_path / "key.npz"
    np.savez_compressed(file, responses=np.zeros(10**7, np.float32))
    with pytest.warns(DamagedCacheWarning, match="must hold at most"):
        assert Cache(tmp_path).read("key", draw_sets(CAUSAL, 4, 30, 0)) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_refused(make, tmp_path):
    make(tmp_path / "key.npz")
    with pytest.warns(DamagedCacheWarning, match="must be a regular file"):
        assert Cache(tmp_path).read("key", draw_sets(CAUSAL, 4, 30, 0)) is None


def test_flipped_and_cut_bytes_are_noticed(fuzz, tmp_path):
    draws = draw_sets(CAUSAL, 3, 30, 0)
    whole = Trainer(LinearRegression(), QUERIES[:2], cache=Cache(tmp_path)).train(
        draws, 0, {"own": draws}
    )
    (file,) = tmp_path.iterdir()
    contents = file.read_bytes()

    def check(position, bit, length):
        changed = bytearray(contents)
        changed[position % len(contents)] ^= 1 << bit
        file.write_bytes(changed[:length])
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            population = Cache(tmp_path).read(file.stem, draws)
        if population is None:
            assert [warning.category for warning in warned] == [DamagedCacheWarning]
        else:
            assert_same(population, whole)

    lengths = st.just(len(contents)) | st.integers(0, len(contents))
    fuzz(check, st.integers(0, len(contents) - 1), st.integers(0, 7), lengths)


def test_an_audit_finds_its_models_again(trained, tmp_path):
    plain = audit(LinearRegression(), CAUSAL, **QUICK)
    trained.clear()
    cold = audit(LinearRegression(), CAUSAL, cache=tmp_path, **QUICK)
    assert len(trained) == 28
    trained.clear()
    warm = audit(LinearRegression(), CAUSAL, cache=tmp_path, **QUICK)
    assert not trained
    for report in (cold, warm):
        pd.testing.assert_frame_equal(report.table, plain.table)
        pd.testing.assert_frame_equal(report.utility, plain.utility)
    audit(LinearRegression(), CAUSAL, cache=tmp_path, **QUICK | {"n_repeats": 3})
    assert not trained


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "n_trained"),
    [
        ({"learner": Ridge()}, 28),
        ({"learner": LinearRegression(fit_intercept=False)}, 28),
        ({"family": EnvironmentMembershipFamily.linear_causal(3)}, 28),
        ({"random_state": 1}, 28),
        ({"n_samples": 61}, 28),
        ({"adversary": replace(ADVERSARY, queries=QUERIES)}, 28),
        ({"test_set": (QUERIES, QUERIES[:, 0])}, 12),
        ({"adversary": replace(ADVERSARY, n_samples=61)}, 16),
        ({"adversary": replace(ADVERSARY, learner=Ridge())}, 16),
        ({"n_targets": 14}, 14),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_is_changed_is_trained_anew(changed, n_trained, trained, tmp_path):
    arguments = {"learner": LinearRegression(), "family": CAUSAL, "cache": tmp_path, **QUICK}
    audit(**arguments)
    trained.clear()
    audit(**arguments | changed)
    assert len(trained) == n_trained


def test_a_changed_function_is_another_family(tmp_path, monkeypatch):
    """Its name is the same, and its source is not: as after an edit between two sessions."""
    digests = []
    for i, constant in enumerate((1, 2, 1)):
        source = f"def sample(value, n_samples, random_state):\n    return {constant}\n"
        path = tmp_path / f"{i}.py"
        path.write_text(source)
        module = types.ModuleType("families")
        exec(compile(source, str(path), "exec"), module.__dict__)
        monkeypatch.setitem(__import__("sys").modules, "families", module)
        digests.append(identify(DistributionFamily.from_function(module.sample, (0, 1)), "family"))
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize(
    "function",
    [lambda value, n_samples, random_state: (np.ones((n_samples, 2)), np.ones(n_samples))],
    ids=["lambda"],
)
@pytest.mark.filterwarnings("ignore::wsl.exceptions.IdenticalDistributionsWarning")
def test_what_has_no_digest_is_refused(function, tmp_path):
    family = DistributionFamily.from_function(function, (0, 1))
    with pytest.raises(InvalidInputError, match=r"`family` must have a digest"):
        audit(LinearRegression(), family, cache=tmp_path, **QUICK)


def test_without_a_seed_nothing_would_be_found(tmp_path):
    with pytest.raises(
        InvalidInputError, match="`random_state` must be a seed when `cache` is given"
    ):
        audit(LinearRegression(), CAUSAL, cache=tmp_path, **QUICK | {"random_state": None})
    assert not list(tmp_path.iterdir())
