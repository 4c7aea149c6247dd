"""``sample`` on a small trained zoo: by anchors, labels and candidates."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss

from wsl import Architecture, WeightSpaceAutoencoder, metrics, train_zoo
from wsl.autoencoder.inference._candidates import averaged_labels, data_losses
from wsl.autoencoder.inference._ensemble_sampling import averaged_logits
from wsl.exceptions import InvalidInputError

ARCHITECTURE = Architecture.mlp(4, [8], 3)
REGRESSION = Architecture.mlp(4, [8], 1)
X, Y = load_iris(return_X_y=True)
X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)


def fit(architecture, targets, **settings):
    zoo = train_zoo(
        architecture, (X, targets), n_models=40, epochs=20, batch_size=16, learning_rate=2e-2,
        random_state=0,
    )  # fmt: skip
    autoencoder = WeightSpaceAutoencoder(
        architecture, queries=X, latent_dim=6, d_model=16, n_layers=1, epochs=5, random_state=0,
        **settings,
    )  # fmt: skip
    return autoencoder.fit(zoo.weights), zoo


@pytest.fixture(scope="module")
def iris():
    return fit(ARCHITECTURE, Y)


@pytest.fixture(scope="module")
def petals():
    """Models that regress the width of a petal."""
    return fit(REGRESSION, X[:, 3])


def losses(architecture, rows):
    return -log_softmax(architecture.forward(rows, X), axis=-1)[:, np.arange(len(Y)), Y].mean(1)


def test_losses_are_those_of_scikit_learn(iris):
    autoencoder, zoo = iris
    given = data_losses(autoencoder.codec_, zoo.weights[:5], X, Y)
    expected = [log_loss(Y, softmax(o, axis=1)) for o in zoo[:5].forward(X)]
    np.testing.assert_allclose(given, expected, rtol=1e-4)


def test_averages_are_of_probabilities_or_of_continuous_outputs(iris, petals):
    mixture_weights = np.array([[0.5, 0.25, 0.0, 0.25]])
    autoencoder, zoo = iris
    outputs = softmax(zoo[:4].forward(X), axis=-1)
    average = softmax(
        averaged_logits(autoencoder.codec_, zoo.weights[:4], mixture_weights, X).numpy(), axis=-1
    )
    np.testing.assert_allclose(average[0], np.tensordot(mixture_weights[0], outputs, 1), atol=1e-5)
    autoencoder, zoo = petals
    average = averaged_logits(autoencoder.codec_, zoo.weights[:4], mixture_weights, X).numpy()
    np.testing.assert_allclose(
        average[0], np.tensordot(mixture_weights[0], zoo[:4].forward(X), 1), atol=1e-5
    )


def test_the_averaged_prediction_is_a_class_or_continuous(iris, petals):
    autoencoder, zoo = iris
    expected = softmax(zoo.forward(X), axis=-1).mean(0).argmax(-1)
    np.testing.assert_array_equal(averaged_labels(autoencoder.codec_, zoo.weights, X), expected)
    autoencoder, zoo = petals
    answers = averaged_labels(autoencoder.codec_, zoo.weights, X)
    np.testing.assert_allclose(answers, zoo.forward(X).mean(0), atol=1e-5)


@pytest.mark.slow
def test_a_single_logit_is_averaged_to_a_class():
    autoencoder, zoo = fit(REGRESSION, (Y > 0).astype(int), behavioral_loss="cross_entropy")
    labels = averaged_labels(autoencoder.codec_, zoo.weights, X)
    np.testing.assert_array_equal(labels, zoo.forward(X).mean(0)[:, 0] > 0)
    generated = autoencoder.sample(6, method="ensemble", random_state=0)
    assert metrics.accuracy(REGRESSION.forward(generated, X), Y > 0).mean() > 0.95


@pytest.mark.slow
def test_models_distilled_from_an_ensemble_work_and_are_no_copies(iris):
    autoencoder, zoo = iris
    settings = {"anchors": zoo.weights, "random_state": 0}
    between = autoencoder.sample(20, method="interpolation", **settings)
    distilled = autoencoder.sample(20, method="ensemble", **settings)
    assert losses(ARCHITECTURE, distilled).max() < 0.6 * losses(ARCHITECTURE, between).max()
    accuracy = metrics.accuracy(ARCHITECTURE.forward(distilled, X), Y)
    assert accuracy.mean() > zoo.accuracy(X, Y).mean() - 0.02
    aligned = ARCHITECTURE.canonicalize(zoo.weights, zoo.weights[0])
    assert metrics.diversity(distilled) > 0.5 * metrics.diversity(aligned)
    copies = autoencoder.sample(20, bandwidth=0.0, **settings)
    distances = [metrics.nearest_distance(rows, aligned).mean() for rows in (distilled, copies)]
    assert distances[0] > 1.5 * distances[1]


def lossy_autoencoder(rows):
    """An autoencoder with so few latents that no model is rebuilt exactly."""
    autoencoder = WeightSpaceAutoencoder(
        ARCHITECTURE, queries=X, latent_dim=2, d_model=16, n_layers=1, epochs=5, random_state=0
    )
    return autoencoder.fit(rows)


@pytest.mark.slow
def test_distilled_models_predict_what_their_own_anchors_predict(iris):
    """With one anchor the ensemble is known: the new model comes to predict what it predicts."""
    _, zoo = iris
    autoencoder, anchor = lossy_autoencoder(zoo.weights), zoo.weights[:1]
    target = softmax(zoo[:1].forward(X), axis=-1)

    def distance(n_steps):
        distilled = autoencoder.sample(
            1, anchors=anchor, method="ensemble", n_steps=n_steps, random_state=0
        )
        return np.square(softmax(ARCHITECTURE.forward(distilled, X), axis=-1) - target).mean()

    assert distance(150) < 0.5 * distance(0)


@pytest.mark.slow
def test_an_ensemble_of_regressors(petals):
    autoencoder, zoo = petals
    distilled = autoencoder.sample(10, anchors=zoo.weights, method="ensemble", random_state=0)
    errors = [
        np.square(REGRESSION.forward(rows, X)[:, :, 0] - X[:, 3]).mean()
        for rows in (
            distilled,
            autoencoder.sample(10, anchors=zoo.weights, method="interpolation", random_state=0),
        )
    ]
    assert errors[0] < 0.7 * errors[1]
    assert errors[0] < 0.2  # of a target of variance 1


@pytest.mark.parametrize("method", ["kde", "interpolation"])
def test_the_best_of_many_by_labels(iris, method):
    autoencoder, zoo = iris
    settings = {"anchors": zoo.weights[:10], "method": method, "random_state": 0}
    everything = autoencoder.sample(40, **settings)
    best = autoencoder.sample(5, n_candidates=40, queries=X, labels=Y, **settings)
    order = np.argsort(losses(ARCHITECTURE, everything))
    np.testing.assert_allclose(best, everything[order[:5]], atol=1e-6)


def test_without_labels_the_predictions_of_the_anchors_choose(iris):
    autoencoder, zoo = iris
    settings = {"anchors": zoo.weights[:10], "n_candidates": 30, "random_state": 0}
    answers = averaged_labels(autoencoder.codec_, zoo.weights[:10], X)
    np.testing.assert_array_equal(
        autoencoder.sample(5, **settings),
        autoencoder.sample(5, queries=X, labels=answers, **settings),
    )


def test_generated_rows_are_a_start_for_training(iris):
    autoencoder, _ = iris
    rows = autoencoder.sample(8, method="ensemble", n_steps=5, random_state=0)
    zoo = train_zoo(ARCHITECTURE, (X, Y), init=rows, epochs=2, learning_rate=1e-2, random_state=0)
    assert (zoo.metadata["init"] == "given").all()
    assert (losses(ARCHITECTURE, zoo.weights) < losses(ARCHITECTURE, rows)).mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("method", ["kde", "token_kde", "interpolation", "gmm", "ensemble"])
def test_one_seed_one_sample_and_small_chunks_change_nothing(iris, method, monkeypatch):
    autoencoder, _ = iris
    settings = {"method": method, "n_steps": 3}
    first = autoencoder.sample(7, random_state=0, **settings)
    assert first.shape == (7, ARCHITECTURE.n_weights)
    np.testing.assert_array_equal(first, autoencoder.sample(7, random_state=0, **settings))
    assert not np.allclose(first, autoencoder.sample(7, random_state=1, **settings))
    monkeypatch.setattr("wsl._batches.BATCH_BYTES", 1)
    chunked = autoencoder.sample(7, random_state=0, **settings)
    np.testing.assert_allclose(chunked, first, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "vae"}, "`method` must be one of .*; got 'vae'"),
        ({"n_models": 0}, "`n_models` must be an int of at least 1; got 0"),
        ({"n_steps": -1}, "`n_steps` must be an int of at least 0; got -1"),
        ({"bandwidth": -1.0}, "`bandwidth` must be .*; got -1.0"),
        ({"n_candidates": 2}, "`n_candidates` must be an int of at least 3; got 2"),
        ({"labels": Y}, "`labels` is only used together with `n_candidates`"),
        ({"queries": X}, "`queries` is only used with method='ensemble'"),
        ({"n_candidates": 5, "labels": Y}, "`labels` needs the `queries`"),
        ({"n_candidates": 5, "queries": X[:, :2]}, "`queries` must have 4 columns.* got 2"),
        ({"n_candidates": 5, "queries": X, "labels": Y[:9]}, "`labels` must have .*; got 9"),
        ({"n_candidates": 5, "queries": X, "labels": Y + 1}, "`y` must be .* got 1 to 3"),
    ],
)
def test_wrong_arguments_are_named(iris, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        iris[0].sample(**{"n_models": 3, **arguments})


def test_what_runs_models_needs_to_know_how():
    rows = np.random.default_rng(0).normal(size=(20, 10))
    plain = WeightSpaceAutoencoder(d_model=8, n_layers=1, epochs=0).fit(rows)
    assert plain.sample(3, method="gmm").shape == (3, 10)
    with pytest.raises(InvalidInputError, match="method='ensemble' runs models"):
        plain.sample(3, method="ensemble")
    with pytest.raises(InvalidInputError, match="`n_candidates` runs models"):
        plain.sample(3, n_candidates=5)
