"""``train_zoo``: its arguments, the rows and metadata of its zoos, its errors."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.utils import Bunch

from wsl import Architecture, train_zoo
from wsl.causal import irm_penalty
from wsl.exceptions import DivergedModelWarning, InvalidInputError
from wsl.zoo.training._initialization import SCHEMES, initial_row

ARCHITECTURE = Architecture.mlp(3, [6], 1)
ROUNDING = {"rtol": 1e-4, "atol": 1e-6}
QUICK = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-2, "random_state": 0}


def draw_set(seed=0, n_samples=40):
    rng = np.random.default_rng([seed, 7])
    X = rng.normal(size=(n_samples, 3)).astype("f")
    y = (X @ [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=n_samples)).astype("f")
    return X, y


SHARED = draw_set()
OWN = [draw_set(i) for i in range(7)]


# --- one seed, one result


def test_one_seed_gives_one_zoo_and_another_seed_another():
    first, again = (train_zoo(ARCHITECTURE, SHARED, n_models=5, **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.metadata.equals(again.metadata)
    other = train_zoo(ARCHITECTURE, SHARED, n_models=5, **QUICK | {"random_state": 1})
    assert (first.weights != other.weights).any(axis=1).all()
    assert len(np.unique(first.weights, axis=0)) == 5


def test_the_first_models_do_not_depend_on_how_many_there_are():
    few = train_zoo(ARCHITECTURE, SHARED, n_models=3, **QUICK)
    many = train_zoo(ARCHITECTURE, SHARED, n_models=9, **QUICK)
    np.testing.assert_allclose(few.weights, many.weights[:3], **ROUNDING)


@pytest.mark.parametrize("datasets", [SHARED, OWN], ids=["shared", "own"])
def test_chunks_change_nothing_but_rounding(datasets):
    whole = train_zoo(ARCHITECTURE, datasets, n_models=7, **QUICK)
    for chunk_size in (1, 3, 100):
        cut = train_zoo(ARCHITECTURE, datasets, n_models=7, chunk_size=chunk_size, **QUICK)
        np.testing.assert_allclose(cut.weights, whole.weights, **ROUNDING)
        np.testing.assert_array_equal(cut.metadata["seed"], whole.metadata["seed"])
        np.testing.assert_allclose(
            cut.metadata["train_loss"], whole.metadata["train_loss"], rtol=1e-4
        )


def test_global_generators_stay_where_they_are():
    numpy_state, torch_state = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    train_zoo(ARCHITECTURE, SHARED, n_models=2, **QUICK)
    assert (np.random.get_state()[1] == numpy_state[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


# --- data in its accepted forms


def test_a_list_an_array_of_sets_and_a_function_agree():
    listed = train_zoo(ARCHITECTURE, OWN, **QUICK)
    assert len(listed) == len(OWN)
    called = train_zoo(ARCHITECTURE, lambda model: OWN[model], n_models=7, **QUICK)
    np.testing.assert_array_equal(listed.weights, called.weights)
    same = train_zoo(ARCHITECTURE, [SHARED] * 7, **QUICK)
    shared = train_zoo(ARCHITECTURE, SHARED, n_models=7, **QUICK)
    np.testing.assert_allclose(same.weights, shared.weights, **ROUNDING)
    no_use = (*SHARED, np.zeros(len(SHARED[0])))  # environments without a penalty
    unused = train_zoo(ARCHITECTURE, no_use, n_models=7, **QUICK)
    np.testing.assert_array_equal(unused.weights, shared.weights)


def test_what_was_given_is_not_changed():
    X, y = SHARED[0].copy(), SHARED[1].copy()
    start = np.full((2, ARCHITECTURE.n_weights), 0.1, np.float32)
    train_zoo(ARCHITECTURE, (X, y), init=start, **QUICK)
    np.testing.assert_array_equal(X, SHARED[0])
    np.testing.assert_array_equal(y, SHARED[1])
    assert (start == np.float32(0.1)).all()
    X.flags.writeable = y.flags.writeable = start.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_zoo(ARCHITECTURE, (X, y), init=start, **QUICK)


def test_sets_of_different_sizes_in_one_zoo():
    sizes = [40, 17, 40, 5, 64, 17, 5]  # sorting them is not its own inverse
    datasets = [draw_set(i, n) for i, n in enumerate(sizes)]
    options = QUICK | {"checkpoints": [1, 3]}
    zoo = train_zoo(ARCHITECTURE, datasets, **options)
    assert zoo.metadata["model"].tolist() == np.repeat(np.arange(7), 2).tolist()
    for i, dataset in enumerate(datasets):
        seed = zoo.metadata["seed"][2 * i]
        alone = train_zoo(ARCHITECTURE, dataset, seeds=[seed], **options)
        np.testing.assert_allclose(zoo.weights[2 * i : 2 * i + 2], alone.weights, **ROUNDING)


def test_labels_of_environments_may_be_anything():
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=40)
    options = QUICK | {"n_models": 2, "penalty": irm_penalty}
    zoos = [
        train_zoo(ARCHITECTURE, (*SHARED, environments), **options)
        for environments in (codes, np.array(["x", "y", "z"])[codes], codes * 1000 - 5)
    ]
    for zoo in zoos[1:]:
        np.testing.assert_array_equal(zoo.weights, zoos[0].weights)


# --- hyper-parameters of each model


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay", "init", "seeds"])
def test_a_models_own_setting_changes_that_model_only(name):
    start = np.random.default_rng(0).normal(size=(3, ARCHITECTURE.n_weights))
    plain = {
        "learning_rate": [0.01, 0.01, 0.01],
        "weight_decay": [0.0, 0.0, 0.0],
        "init": start,
        "seeds": [1, 2, 3],
    }
    changed = {
        "learning_rate": [0.01, 0.02, 0.01],
        "weight_decay": [0.0, 0.1, 0.0],
        "init": start * [[1], [2], [1]],
        "seeds": [1, 4, 3],
    }
    quick = {"epochs": 3, "batch_size": 16}
    first = train_zoo(ARCHITECTURE, SHARED, **plain, **quick)
    second = train_zoo(ARCHITECTURE, SHARED, **plain | {name: changed[name]}, **quick)
    np.testing.assert_allclose(second.weights[[0, 2]], first.weights[[0, 2]], **ROUNDING)
    assert np.abs(second.weights[1] - first.weights[1]).max() > 1e-4


@pytest.mark.parametrize("scheme", SCHEMES)
def test_starts_have_the_scale_of_their_scheme(scheme):
    architecture = Architecture.mlp(100, [200], 50)
    dataset = np.zeros((2, 100)), np.zeros((2, 50))
    zoo = train_zoo(architecture, dataset, n_models=4, epochs=0, init=scheme, random_state=0)
    assert (zoo.metadata["init"] == scheme).all()
    variance = {
        "default": 1 / 3,
        "kaiming_uniform": 2,
        "kaiming_normal": 2,
        "lecun_uniform": 1,
        "lecun_normal": 1,
    }[scheme]
    parameters = architecture.layout.parameters(torch.tensor(zoo.weights))
    for name, fan_in in (("0.weight", 100), ("2.weight", 200)):
        assert float(parameters[name].var()) == pytest.approx(variance / fan_in, rel=0.05)
        if "normal" not in scheme:
            bound = np.sqrt(3 * variance / fan_in)
            assert 0.95 * bound < float(parameters[name].abs().max()) < bound * 1.000001
    for name, fan_in in (("0.bias", 100), ("2.bias", 200)):
        spread = variance / fan_in if scheme == "default" else 0
        assert float(parameters[name].var()) == pytest.approx(spread, rel=0.25)


def test_schemes_may_differ_from_model_to_model():
    schemes = ["lecun_normal", "default"]
    zoo = train_zoo(ARCHITECTURE, SHARED, init=schemes, epochs=0, random_state=0)
    assert zoo.metadata["init"].tolist() == schemes
    for row, scheme, seed in zip(zoo.weights, schemes, zoo.metadata["seed"], strict=True):
        expected = initial_row(ARCHITECTURE, scheme, np.random.default_rng(seed))
        np.testing.assert_array_equal(row, expected)


def test_given_starts():
    start = np.random.default_rng(0).normal(size=(4, ARCHITECTURE.n_weights)).astype("f")
    zoo = train_zoo(ARCHITECTURE, SHARED, init=start, epochs=0)
    np.testing.assert_array_equal(zoo.weights, start)
    assert (zoo.metadata["init"] == "given").all()
    trained = train_zoo(ARCHITECTURE, SHARED, init=start, checkpoints=[0, 3], **QUICK)
    np.testing.assert_array_equal(trained.weights[::2], start)
    for i in range(4):
        alone = train_zoo(
            ARCHITECTURE,
            SHARED,
            init=start[[i]],
            seeds=[trained.metadata["seed"][2 * i]],
            **QUICK,
        )
        np.testing.assert_allclose(trained.weights[2 * i + 1], alone.weights[0], **ROUNDING)


# --- checkpoints and early stopping


def test_checkpoints_are_the_zoos_of_fewer_epochs():
    wanted = [4, 0, 1, 4]  # in any order, doubles counted once
    zoo = train_zoo(ARCHITECTURE, OWN, checkpoints=wanted, **QUICK | {"epochs": 4})
    assert zoo.metadata["model"].tolist() == np.repeat(np.arange(7), 3).tolist()
    assert zoo.metadata["epoch"].tolist() == [0, 1, 4] * 7
    assert zoo.metadata.columns.tolist() == [
        "model", "seed", "epoch", "train_loss", "learning_rate", "weight_decay", "init",
    ]  # fmt: skip
    for place, epochs in enumerate([0, 1, 4]):
        fewer = train_zoo(ARCHITECTURE, OWN, **QUICK | {"epochs": epochs})
        at = zoo[place::3]
        np.testing.assert_array_equal(at.weights, fewer.weights)
        np.testing.assert_array_equal(at.metadata["seed"], fewer.metadata["seed"])
        np.testing.assert_array_equal(at.metadata["train_loss"], fewer.metadata["train_loss"])
    assert zoo[::3].metadata["train_loss"].isna().all()


def test_no_epochs_is_the_start():
    zoo = train_zoo(ARCHITECTURE, SHARED, n_models=3, **QUICK | {"epochs": 0})
    assert zoo.metadata["epoch"].tolist() == [0, 0, 0]
    assert zoo.metadata["train_loss"].isna().all()
    for row, seed in zip(zoo.weights, zoo.metadata["seed"], strict=True):
        expected = initial_row(ARCHITECTURE, "default", np.random.default_rng(seed))
        np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("datasets", [SHARED, OWN], ids=["shared", "own"])
def test_a_model_stops_after_the_first_epoch_below_its_loss(datasets, optimizer):
    epochs = 8
    options = QUICK | {"epochs": epochs, "n_models": 7, "optimizer": optimizer}
    options["learning_rate"] = np.linspace(0.005, 0.05, 7)
    every = range(epochs + 1)
    full = train_zoo(ARCHITECTURE, datasets, checkpoints=every, **options)
    losses = full.metadata["train_loss"].to_numpy().reshape(7, -1)
    rows = full.weights.reshape(7, epochs + 1, -1)
    target = np.array([losses[i, min(i + 1, epochs)] for i in range(7)]) + 1e-3
    target[-1] = 0  # never reached
    stopped = train_zoo(
        ARCHITECTURE, datasets, checkpoints=every, stop_at_loss=target.tolist(), **options
    )
    seen = stopped.metadata["epoch"].to_numpy().reshape(7, -1)
    below = losses < target[:, None]
    first = np.where(below.any(1), below.argmax(1), epochs)
    assert len(set(first.tolist())) > 3
    for i in range(7):
        reached = np.minimum(np.arange(epochs + 1), first[i])
        np.testing.assert_array_equal(seen[i], reached)
        own = stopped.weights.reshape(7, epochs + 1, -1)[i]
        np.testing.assert_allclose(own, rows[i, reached], **ROUNDING)
        assert (own[first[i] :] == own[first[i]]).all()


def test_one_loss_to_stop_at_for_all():
    options = QUICK | {"epochs": 30, "n_models": 6}
    zoo = train_zoo(ARCHITECTURE, SHARED, stop_at_loss=0.6, **options)
    assert (zoo.metadata["train_loss"] < 0.6).all()
    assert (zoo.metadata["epoch"] < 30).all()
    for i in range(6):
        fewer = train_zoo(
            ARCHITECTURE,
            SHARED,
            seeds=[zoo.metadata["seed"][i]],
            **QUICK | {"epochs": int(zoo.metadata["epoch"][i])},
        )
        np.testing.assert_allclose(zoo.weights[i], fewer.weights[0], **ROUNDING)


# --- what is said


def test_diverged_models_are_named():
    rates = np.full(6, 1e-3)
    rates[[1, 4]] = 1e10
    options = QUICK | {"optimizer": "sgd", "learning_rate": rates, "epochs": 10}
    with pytest.warns(DivergedModelWarning, match=r"2 of 6 models diverged.*models \[1, 4\]") as w:
        zoo = train_zoo(ARCHITECTURE, SHARED, **options)
    assert w[0].filename == __file__
    finite = np.isfinite(zoo.weights).all(axis=1)
    assert finite.tolist() == [True, False, True, True, False, True]
    assert len(zoo) == 6


def test_nothing_is_printed_unless_asked_for(capsys):
    train_zoo(ARCHITECTURE, SHARED, n_models=2, **QUICK)
    assert capsys.readouterr() == ("", "")
    train_zoo(ARCHITECTURE, SHARED, n_models=2, progress=True, **QUICK)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "training models" in printed.err
    assert "2/2" in printed.err


X, Y = SHARED
NAN_X, NAN_Y = X.copy(), Y.copy()
NAN_X[3, 1], NAN_Y[5] = np.nan, np.inf
ROWS = np.zeros((2, ARCHITECTURE.n_weights))
# arguments beside a plain call's -> what the error says
WRONG = {
    "no number of models": ({"n_models": None}, "`n_models` must .*; got None"),
    "no models": ({"n_models": 0}, "'n_models' parameter .* Got 0"),
    "numbers of models": ({"learning_rate": [0.1, 0.2]}, r"n_models=3 .*\[2, 3\]"),
    "sets for fewer": ({"datasets": OWN}, r"n_models=3 .*\[3, 7\]"),
    "architecture": ({"architecture": torch.nn.Linear(3, 1)}, "'architecture' parameter"),
    "datasets": ({"datasets": 3}, "'datasets' parameter"),
    "list for tuple": (
        {"datasets": [X, Y], "n_models": None},
        r"`datasets\[0\]` must be a tuple .*; got a ndarray",
    ),
    "Bunch": (
        {"datasets": Bunch(data=X, target=Y)},
        r"`datasets` must have the keys 'X' and 'y', .*; got \['data', 'target'\]",
    ),
    "tuple of one": ({"datasets": (X,)}, "`datasets` must be a tuple .*; got a tuple"),
    "set of a function": (
        {"datasets": lambda model: X},
        r"`datasets\[0\]` must be a tuple .*; got a ndarray",
    ),
    "one row": ({"datasets": (X[0], Y)}, r"X of `datasets` must .*3\); got \(n_samples,\)"),
    "no rows": (
        {"datasets": (X[:0], Y[:0])},
        "X of `datasets` must have at least one sample; got none",
    ),
    "length of y": (
        {"datasets": (X, Y[:-1])},
        "y of `datasets` must have 40 entries, as X has; got 39",
    ),
    "NaN in X": ({"datasets": (NAN_X, Y)}, "X of `datasets` must be finite; got NaN"),
    "NaN in y": ({"datasets": (X, NAN_Y)}, "y of `datasets` must be finite; got NaN or infinity"),
    "NaN in one set": (
        {"datasets": [SHARED, (NAN_X, Y), SHARED]},
        r"X of `datasets\[1\]` must be finite; got NaN",
    ),
    "length of environments": (
        {"datasets": (X, Y, np.zeros(3))},
        "environments of `datasets` must have 40 entries, as X has; got 3",
    ),
    "table of environments": (
        {"datasets": (X, Y, X)},
        r"environments of `datasets` must have shape \(40,\); got \(40, 3\)",
    ),
    "missing environments": (
        {"datasets": [SHARED, (X, Y, np.array(["a", None] * 20)), SHARED]},
        r"environments of `datasets\[1\]` must hold a label .*; got missing",
    ),
    "columns of X": ({"datasets": (X[:, :2], Y)}, "X of `datasets` must have 3 columns.*; got 2"),
    "columns of one set": (
        {"datasets": [SHARED, (X[:, :2], Y), SHARED]},
        r"X of `datasets\[1\]` must have 3 columns, .*; got 2",
    ),
    "no sets": ({"datasets": [], "n_models": None}, "n_models|datasets"),
    "no environments": ({"penalty": irm_penalty}, "`datasets` must be of the form .*environments"),
    "columns of y": ({"datasets": (X, np.zeros((40, 2)))}, "`y` must have 1 columns, .*; got 2"),
    "binary labels": ({"loss": "binary"}, "`y` must be labels 0 and 1 .*; got "),
    "class labels": (
        {"datasets": (X, np.arange(40)), "loss": "cross_entropy"},
        "`y` must be whole labels from 0 to 0, .*; got 0 to 39",
    ),
    "labels as text": (
        {"datasets": (X, np.array(["a", "b"] * 20)), "loss": "cross_entropy"},
        "`y` must be .*; got a to b",
    ),
    "loss": ({"loss": "hinge"}, "'loss' parameter .* Got 'hinge'"),
    "epochs": ({"epochs": -1}, "'epochs' parameter .* Got -1"),
    "half an epoch": ({"epochs": 1.5}, "'epochs' parameter .* Got 1.5"),
    "batch_size": ({"batch_size": 0}, "'batch_size' parameter .* Got 0"),
    "learning_rate": ({"learning_rate": 0.0}, "'learning_rate' parameter .* Got 0"),
    "one learning rate": ({"learning_rate": [0.1, -0.1, 0.1]}, "`learning_rate` must .*-0.1"),
    "NaN as learning rate": ({"learning_rate": [0.1, np.nan, 0.1]}, "learning_rate` must .*nan"),
    "one weight decay": ({"weight_decay": [0.0, -1.0, 0.0]}, "`weight_decay` must .*-1"),
    "weight_decay": ({"weight_decay": -1.0}, "'weight_decay' parameter .* Got -1"),
    "optimizer": ({"optimizer": "lbfgs"}, "'optimizer' parameter .* Got 'lbfgs'"),
    "penalty": ({"penalty": "irm"}, "'penalty' parameter .* Got 'irm'"),
    "penalty_weight": ({"penalty_weight": -1.0}, "'penalty_weight' parameter"),
    "stop_at_loss": ({"stop_at_loss": -1.0}, "'stop_at_loss' parameter"),
    "losses to stop at": (
        {"stop_at_loss": [1.0, 2.0]},
        r"`stop_at_loss` must be one number or have .*; got shape \(2,\)",
    ),
    "late checkpoint": ({"checkpoints": [1, 4]}, r"`checkpoints` must be .* 0 to 3; got \[1, 4\]"),
    "early checkpoint": ({"checkpoints": [-1]}, r"`checkpoints` must be .*; got \[-1\]"),
    "no checkpoint": ({"checkpoints": []}, r"`checkpoints` must be .*; got \[\]"),
    "scheme": ({"init": "zeros"}, "'init' parameter .* Got 'zeros'"),
    "one scheme of three": (
        {"init": ["zeros", "default", "ones"]},
        r"`init` must be among .*; got \['ones', 'z",
    ),
    "columns of init": ({"init": np.zeros((3, 5))}, "`init` must have 31 columns, .*; got 5"),
    "NaN in init": ({"init": np.full((3, 31), np.nan)}, "init.* NaN"),
    "seeds": (
        {"seeds": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]},
        r"`seeds` must be one number or .*; got shape \(3, 3\)",
    ),
    "negative seed": ({"seeds": [1, -2, 3]}, "`seeds` must .*-2"),
    "half a seed": ({"seeds": [1, 2.5, 3]}, "`seeds` must .*2.5"),
    "chunk_size": ({"chunk_size": 0}, "'chunk_size' parameter .* Got 0"),
    "progress": ({"progress": "yes"}, "'progress' parameter"),
    "device": ({"device": "abacus"}, "`device` must be .*got 'abacus'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_parameter_and_its_value(case):
    wrong, named = WRONG[case]
    plain = {
        "architecture": ARCHITECTURE,
        "datasets": SHARED,
        "n_models": 3,
        "epochs": 3,
        "random_state": 0,
    }
    with pytest.raises(ValueError, match=named) as caught:
        train_zoo(**plain | wrong)
    if "parameter" not in named:  # the others are raised by scikit-learn's checks
        assert isinstance(caught.value, InvalidInputError)
