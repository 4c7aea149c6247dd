"""How training goes on: after an interruption, with more epochs, on more models."""

import hashlib
import io
import json
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler

from wsl import Architecture, WeightSpaceAutoencoder
from wsl.autoencoder.network._checkpoint import HEADER, read_state
from wsl.autoencoder.network._training import warm_up_and_cosine
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(4, [6], 3)
QUERIES = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)
ROWS = np.random.default_rng(0).normal(size=(40, ARCHITECTURE.n_weights)).astype(np.float32)


def make(**parameters):
    defaults = {
        "queries": QUERIES, "latent_dim": 3, "d_model": 16, "n_layers": 1, "n_heads": 2,
        "epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "random_state": 0,
    }  # fmt: skip
    return WeightSpaceAutoencoder(ARCHITECTURE, **defaults | parameters)


class PowerCut(Callback):
    """Ends the process after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_batch_end(self, net, **kwargs):
        if len(net.history) > self.n_epochs:
            raise RuntimeError("power cut")


@pytest.mark.slow
def test_a_resumed_training_ends_as_an_uninterrupted_one(tmp_path):
    path = tmp_path / "folder" / "training.pt"
    with pytest.raises(RuntimeError, match="power cut"):
        make(validation_fraction=0.1, checkpoint=path, callbacks=[PowerCut(2)]).fit(ROWS)
    assert [file.name for file in path.parent.iterdir()] == ["training.pt"]
    seen = EpochScoring(lambda net, X, y=None: 7.0, name="seven", on_train=True)
    resumed = make(validation_fraction=0.1, checkpoint=path, callbacks=[seen]).fit(ROWS)
    assert ["seven" in row for row in resumed.net_.history] == [False, False, True, True]
    whole = make(validation_fraction=0.1).fit(ROWS)
    np.testing.assert_array_equal(resumed.transform(ROWS), whole.transform(ROWS))
    np.testing.assert_array_equal(resumed.reconstruct(ROWS), whole.reconstruct(ROWS))
    np.testing.assert_equal(resumed.history_, whole.history_)


def test_a_finished_training_is_not_repeated(tmp_path):
    path = tmp_path / "training.pt"
    first = make(checkpoint=path).fit(ROWS)
    again = make(checkpoint=path, callbacks=[PowerCut(0)], validation_fraction=0.0).fit(ROWS)
    np.testing.assert_array_equal(again.transform(ROWS), first.transform(ROWS))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{"beta": 0.2}, {"epochs": 5}, {"queries": QUERIES + 1}, {"random_state": 1}]
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change):
    path = tmp_path / "training.pt"
    make(checkpoint=path).fit(ROWS)
    with pytest.raises(InvalidInputError, match="is of another training"):
        make(checkpoint=path, **change).fit(ROWS)
    with pytest.raises(InvalidInputError, match="is of another training"):
        make(checkpoint=path).fit(ROWS + 1)


class Explosive:
    """Runs code when it is loaded without care."""

    def __reduce__(self):
        return eval, ("1 / 0",)


def write_checkpoint(path, state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    path.write_bytes(HEADER + digest.encode() + b"\n" + buffer.getvalue())


def test_a_checkpoint_runs_no_code(tmp_path):
    path = tmp_path / "training.pt"
    write_checkpoint(path, {"fingerprint": Explosive()})
    with pytest.raises(InvalidInputError, match="cannot be read"):
        make(checkpoint=path).fit(ROWS)
    write_checkpoint(path, [1, 2])
    with pytest.raises(InvalidInputError, match="is not a wsl training checkpoint"):
        make(checkpoint=path).fit(ROWS)
    torch.save({"fingerprint": "1"}, path)
    with pytest.raises(InvalidInputError, match="is not a wsl training checkpoint"):
        make(checkpoint=path).fit(ROWS)


def test_a_checkpoint_is_a_regular_file_of_bounded_size(tmp_path):
    with pytest.raises(InvalidInputError, match="must be a regular file to be read; got a folder"):
        make(checkpoint=tmp_path).fit(ROWS)
    path = tmp_path / "training.pt"
    with path.open("wb") as file:
        file.truncate(2**33)  # takes no room on the disk
    with pytest.raises(InvalidInputError, match=r"must have at most \d+ bytes"):
        make(checkpoint=path).fit(ROWS)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "training.pt"
    make(checkpoint=path).fit(ROWS)
    return path


def refuse_damaged(checkpoint, damaged):
    path = checkpoint.with_name("damaged.pt")
    path.write_bytes(damaged)
    with pytest.raises(InvalidInputError, match=r"damaged|not a wsl training checkpoint"):
        read_state(path, "cpu", 2**30)


def flip_bits(checkpoint, draw):
    contents = bytearray(checkpoint.read_bytes())
    bit = draw(st.integers(0, 8 * len(contents) - 1))
    contents[bit // 8] ^= 1 << bit % 8
    refuse_damaged(checkpoint, contents)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_of_a_checkpoint_is_refused(checkpoint, data):
    flip_bits(checkpoint, data.draw)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_of_a_checkpoint_is_refused_wherever_it_is(checkpoint, data):
    flip_bits(checkpoint, data.draw)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_truncated_checkpoint_is_refused(checkpoint, data):
    contents = checkpoint.read_bytes()
    refuse_damaged(checkpoint, contents[: data.draw(st.integers(0, len(contents) - 1))])


def test_a_damaged_checkpoint_stops_the_fit(checkpoint, tmp_path):
    contents = bytearray(checkpoint.read_bytes())
    contents[len(contents) // 2] ^= 1
    (tmp_path / "training.pt").write_bytes(contents)
    with pytest.raises(InvalidInputError, match=r"is damaged: its checksum .* Remove it"):
        make(checkpoint=tmp_path / "training.pt").fit(ROWS)


def test_a_checkpoint_needs_an_int_as_seed(tmp_path):
    with pytest.raises(InvalidInputError, match=r"`random_state` must be an int.* got None"):
        make(checkpoint=tmp_path / "training.pt", random_state=None).fit(ROWS)


def test_early_stopping_ends_training():
    stopping = EarlyStopping(monitor="valid_total", patience=2, threshold=0.9)
    stopped = make(epochs=30, callbacks=[stopping]).fit(ROWS)
    assert len(stopped.history_) == 3
    assert np.isfinite(stopped.transform(ROWS)).all()


@pytest.mark.slow
def test_the_rate_rises_and_falls_along_a_cosine():
    rates = []

    class Recorder(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training:
                rates.append(net.optimizer_.param_groups[0]["lr"])

    make(callbacks=[Recorder()], learning_rate=0.5, validation_fraction=0.0).fit(ROWS)
    assert rates == pytest.approx([0.5 * warm_up_and_cosine(step, 20) for step in range(20)])
    assert max(rates) == rates[2] == pytest.approx(0.5)
    assert rates[0] < rates[1] < rates[2]
    assert np.all(np.diff(rates[2:]) < 0)


def test_a_scheduler_among_the_callbacks_takes_the_place_of_the_cosine():
    rates = []

    class Recorder(Callback):
        def on_epoch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    halved = LRScheduler("StepLR", step_size=1, gamma=0.5)
    make(callbacks=[Recorder(), halved]).fit(ROWS)
    assert rates == pytest.approx([3e-3 * 0.5**epoch for epoch in range(4)])


@pytest.mark.slow
def test_warm_start_continues_with_the_same_normalization():
    autoencoder = make(warm_start=True).fit(ROWS)
    ordering, latents = autoencoder.codec_.normalization.ordering, autoencoder.transform(ROWS)
    autoencoder.set_params(epochs=6).fit(ROWS)
    assert [row["epoch"] for row in autoencoder.history_] == list(range(1, 11))
    assert autoencoder.codec_.normalization.ordering is ordering
    assert np.abs(autoencoder.transform(ROWS) - latents).max() > 1e-5
    losses = [row["train_total"] for row in autoencoder.history_]
    assert np.mean(losses[-2:]) < np.mean(losses[:2])
    assert len(make().fit(ROWS).fit(ROWS).history_) == 4
    with pytest.raises(ValueError, match="X has 10 features"):
        autoencoder.fit(ROWS[:, :10])


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"d_model": 32}, {"n_layers": 2}, {"n_heads": 4}, {"latent_dim": 2}, {"latent_dim": [3, 3]},
        {"code": "linear"}, {"token_size": 4}, {"permutations": False}, {"align": False},
        {"architecture": Architecture.mlp(4, [6], 3, activation="tanh")},
    ],
)  # fmt: skip
def test_a_continued_fit_refuses_what_would_need_another_network(change):
    autoencoder = make(warm_start=True, epochs=1).fit(ROWS)
    latents = autoencoder.transform(ROWS)
    name = next(iter(change))
    autoencoder.set_params(**change)
    for fit in (autoencoder.fit, autoencoder.partial_fit):
        with pytest.raises(InvalidInputError, match=rf"`{name}` must stay .*; got .*warm_start"):
            fit(ROWS)
    np.testing.assert_array_equal(autoencoder.transform(ROWS), latents)
    assert len(autoencoder.set_params(warm_start=False).fit(ROWS).history_) == 1


def test_a_continued_fit_takes_the_same_sizes_in_another_object():
    sizes = [2, 3]
    autoencoder = make(warm_start=True, epochs=1, latent_dim=sizes).fit(ROWS)
    autoencoder.set_params(latent_dim=np.array([2, 3]), learning_rate=1e-2).fit(ROWS)
    assert len(autoencoder.history_) == 2
    sizes[0] = 1  # the list of the first fit
    with pytest.raises(InvalidInputError, match=r"`latent_dim` must stay \[2, 3\]"):
        autoencoder.set_params(latent_dim=sizes).fit(ROWS)


def test_warm_start_can_turn_a_loss_on():
    settings = {"align": "reference", "epochs": 1}
    autoencoder = make(warm_start=True, beta=1.0, gamma=0.0, **settings).fit(ROWS)
    autoencoder.set_params(beta=0.1, gamma=0.1).fit(ROWS)
    first, second = autoencoder.history_
    assert np.isnan([first["train_behavioral"], first["train_contrastive"]]).all()
    assert np.isfinite([second["train_behavioral"], second["train_contrastive"]]).all()
    assert (
        autoencoder.loss_scales_["behavioral"]
        == (make(**settings).fit(ROWS).loss_scales_["behavioral"])
    )


@pytest.mark.slow
def test_a_warm_start_resumes_from_a_checkpoint_too(tmp_path):
    def second_fit(autoencoder, **parameters):
        return autoencoder.set_params(**parameters).fit(ROWS).transform(ROWS)

    first = pickle.dumps(make(warm_start=True).fit(ROWS))
    whole = second_fit(pickle.loads(first))
    path = tmp_path / "training.pt"
    with pytest.raises(RuntimeError, match="power cut"):
        second_fit(
            pickle.loads(first), checkpoint=path, callbacks=[PowerCut(6)], validation_fraction=0.0
        )
    np.testing.assert_array_equal(second_fit(pickle.loads(first), checkpoint=path), whole)


def test_partial_fit_takes_one_epoch_and_keeps_normalization_and_scales():
    autoencoder = make(learning_rate=1e-3).partial_fit(ROWS)
    scales = dict(autoencoder.loss_scales_)
    for start in range(0, 40, 10):
        autoencoder.partial_fit(ROWS[start : start + 10])
    assert len(autoencoder.history_) == 5
    assert autoencoder.loss_scales_ == scales
    assert autoencoder.latents_.shape == (10, autoencoder.n_latents_)
    autoencoder.partial_fit(ROWS[:1])
    assert autoencoder.reconstruct(ROWS).shape == ROWS.shape


@pytest.mark.slow
def test_partial_fit_learns():
    autoencoder = make(gamma=0.0, permutations=False, learning_rate=3e-3).partial_fit(ROWS)
    for _ in range(25):
        autoencoder.partial_fit(ROWS)
    assert autoencoder.history_[-1]["train_total"] < 0.9 * autoencoder.history_[0]["train_total"]


def test_history_can_be_written_as_json():
    assert json.loads(json.dumps(make(epochs=1).fit(ROWS).history_))[0]["epoch"] == 1
