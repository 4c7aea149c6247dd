"""Ctrl-C in the middle of a fit: it reaches the caller, and nothing half trained is left."""

import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from skorch.callbacks import Callback

from wsl import (
    Adversary,
    Architecture,
    DeepSetsClassifier,
    DeepSetsRegressor,
    DistributionInferenceAttack,
    GaussianFamily,
    ProbeClassifier,
    ProbeRegressor,
    WeightSpaceAutoencoder,
    audit,
)
from wsl._interrupts import interrupts_reach_caller, interrupts_wait
from wsl._skorch_net import InterruptibleNet

ARCHITECTURE = Architecture.mlp(2, [3], 1)
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(24, ARCHITECTURE.n_weights)).astype(np.float32)
TARGETS = np.arange(24) % 2
QUERIES = RNG.normal(size=(16, 2)).astype(np.float32)


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def autoencoder(**options):
    return WeightSpaceAutoencoder(
        ARCHITECTURE, queries=QUERIES, d_model=8, n_layers=1, n_heads=2, random_state=0, **options
    )


ESTIMATORS = {
    "autoencoder": lambda: autoencoder(epochs=5),
    "deepsets": lambda: DeepSetsClassifier(ARCHITECTURE, epochs=5, random_state=0),
    "deepsets regressor": lambda: DeepSetsRegressor(ARCHITECTURE, epochs=5, random_state=0),
    "probes": lambda: ProbeClassifier(ARCHITECTURE, epochs=5, random_state=0),
    "probes regressor": lambda: ProbeRegressor(ARCHITECTURE, epochs=5, random_state=0),
    "attack": lambda: DistributionInferenceAttack(
        "deepsets", architecture=ARCHITECTURE, random_state=0
    ),
}


def read(estimator):
    """What a fitted estimator says of the rows it was trained on."""
    outputs = getattr(estimator, "predict_proba", getattr(estimator, "predict", None))
    return estimator.transform(ROWS) if outputs is None else outputs(ROWS)


@pytest.fixture
def interrupted_epoch(monkeypatch):
    """Press Ctrl-C at the end of the third epoch of a net; return how many epochs have ended."""
    ended = []

    def on_epoch_end(self, net, **kwargs):
        ended.append(net)
        if len(ended) == 3:
            press_ctrl_c()

    monkeypatch.setattr(InterruptibleNet, "on_epoch_end", on_epoch_end)
    return ended


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interrupted_fit_raises_and_is_no_fit(name, interrupted_epoch):
    estimator = ESTIMATORS[name]()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(ROWS, TARGETS)
    assert len(interrupted_epoch) == 3
    with pytest.raises(NotFittedError):
        read(estimator)
    again = read(estimator.fit(ROWS, TARGETS))
    np.testing.assert_array_equal(again, read(ESTIMATORS[name]().fit(ROWS, TARGETS)))


@pytest.mark.parametrize("name", ["deepsets", "probes regressor"])
def test_a_net_that_was_fitted_before_stays(name, interrupted_epoch):
    estimator = ESTIMATORS[name]().set_params(epochs=2).fit(ROWS, TARGETS)
    before = read(estimator)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(-ROWS, TARGETS + 5)
    assert len(interrupted_epoch) == 3
    np.testing.assert_array_equal(read(estimator), before)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["fit", "partial_fit"])
def test_an_autoencoder_that_goes_on_is_left_as_it_was(step, monkeypatch):
    def first():
        return autoencoder(epochs=2, warm_start=True).fit(ROWS)

    estimator, twin = first(), first()
    before, history = read(estimator), list(estimator.history_)
    with monkeypatch.context() as patch:
        patch.setattr(InterruptibleNet, "on_batch_end", lambda *args, **kwargs: press_ctrl_c())
        with pytest.raises(KeyboardInterrupt):
            getattr(estimator, step)(ROWS)
    np.testing.assert_array_equal(read(estimator), before)
    assert estimator.history_ == history
    for one in (estimator, twin):
        getattr(one, step)(ROWS)
    assert len(estimator.history_) > len(history)
    np.testing.assert_array_equal(read(estimator), read(twin))


def test_an_interrupt_as_training_begins_is_not_lost(monkeypatch):
    """The earliest that skorch swallows: as its loop is called."""
    loop = InterruptibleNet.fit_loop

    def late(self, *args, **kwargs):
        press_ctrl_c()
        return loop(self, *args, **kwargs)

    monkeypatch.setattr(InterruptibleNet, "fit_loop", late)
    with pytest.raises(KeyboardInterrupt):
        ESTIMATORS["deepsets"]().fit(ROWS, TARGETS)


def test_a_callback_ends_training_as_skorch_has_it():
    """By raising KeyboardInterrupt, as ``EarlyStopping`` does: nobody has pressed anything."""

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    assert len(autoencoder(epochs=5, callbacks=[Stop()]).fit(ROWS).history_) == 1


class StoppedMLP(MLPClassifier):
    """scikit-learn's own network, which warns of an interrupt and returns: here in the third."""

    fitted = 0

    def _update_no_improvement_count(self, *args):
        super()._update_no_improvement_count(*args)
        if self.n_iter_ == 2:
            StoppedMLP.fitted += 1
            if StoppedMLP.fitted == 3:
                press_ctrl_c()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_learner_that_swallows_interrupts_does_not_end_in_an_audit(monkeypatch):
    monkeypatch.setattr(StoppedMLP, "fitted", 0)
    learner = StoppedMLP((2,), max_iter=4)
    assert learner.fit(RNG.normal(size=(20, 2)), np.arange(20) % 2) is learner
    family = GaussianFamily(n_features=2, binary=True)
    adversary = Adversary(n_shadows=20, n_samples=20)
    with pytest.raises(KeyboardInterrupt):
        audit(learner, family, adversary=adversary, n_targets=20, random_state=0)
    assert StoppedMLP.fitted == 3


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_meta_estimator_that_swallows_interrupts(monkeypatch):
    monkeypatch.setattr(StoppedMLP, "fitted", 2)
    attack = DistributionInferenceAttack(
        "statistics",
        architecture=ARCHITECTURE,
        meta_estimator=StoppedMLP((2,), max_iter=4),
        random_state=0,
    )
    with pytest.raises(KeyboardInterrupt):
        attack.fit(ROWS, TARGETS)
    assert not hasattr(attack, "estimator_")


# --- the contexts


def swallow():
    try:
        press_ctrl_c()
    except KeyboardInterrupt:
        return "swallowed"


def test_what_a_block_swallows_is_raised_at_its_end():
    reached = []
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts_reach_caller():
        reached.append(swallow())
    assert reached == ["swallowed"]
    assert signal.getsignal(signal.SIGINT) is handler
    with interrupts_reach_caller():
        reached.append("quiet")
    with pytest.raises(ZeroDivisionError), interrupts_reach_caller():
        1 / 0  # noqa: B018
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interrupt_waits_for_the_end_of_a_block():
    reached = []
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        with interrupts_wait():
            press_ctrl_c()
            reached.append("the end")
        reached.append("beyond")
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_handler_of_the_users_own_is_called():
    calls = []
    before = signal.signal(signal.SIGINT, lambda *received: calls.append(received[0]))
    try:
        for context in (interrupts_reach_caller, interrupts_wait):
            with context():
                press_ctrl_c()
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT] * 2


@pytest.mark.slow
def test_other_threads_fit_as_ever():
    fitted = []
    thread = threading.Thread(
        target=lambda: fitted.append(ESTIMATORS["attack"]().fit(ROWS, TARGETS))
    )
    thread.start()
    thread.join()
    np.testing.assert_array_equal(read(fitted[0]), read(ESTIMATORS["attack"]().fit(ROWS, TARGETS)))


WHILE_LOADING = """
import signal, sys
import numpy as np
from wsl import Architecture, DeepSetsClassifier

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "sympy.printing":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
architecture = Architecture.mlp(2, [3], 1)
rows = np.random.default_rng(0).normal(size=(8, architecture.n_weights))
estimator = DeepSetsClassifier(architecture, epochs=1)
try:
    estimator.fit(rows, [0, 1] * 4)
except KeyboardInterrupt:
    print("interrupted")
print(estimator.fit(rows, [0, 1] * 4).predict(rows).shape)
"""


@pytest.mark.slow
def test_an_interrupt_while_torch_loads_breaks_no_later_fit():
    command = [sys.executable, "-c", WHILE_LOADING]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["interrupted", "(8,)"]
