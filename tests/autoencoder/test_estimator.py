"""``WeightSpaceAutoencoder``: what it promises on a real, small zoo and on plain arrays."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import EpochScoring
from torch import nn

from wsl import Architecture, WeightSpaceAutoencoder, metrics, train_zoo
from wsl.autoencoder.tokens._unit_order import Alignment, Ranking
from wsl.exceptions import InvalidInputError, UnsupportedModuleError

ARCHITECTURE = Architecture.mlp(4, [6], 3)
SMALL = {"latent_dim": 3, "d_model": 16, "n_layers": 1, "n_heads": 2, "epochs": 3, "batch_size": 8}
ORDERINGS = {"importance": Ranking, "reference": Alignment}
DIGITS = Architecture.cnn((1, 8, 8), (4, 6), (12,), 10)


def make_rows(n_models=30, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_models, ARCHITECTURE.n_weights)).astype(np.float32)


QUERIES = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)


def make(**parameters):
    settings = {**SMALL, "queries": QUERIES, "random_state": 0, **parameters}
    return WeightSpaceAutoencoder(ARCHITECTURE, **settings)


@pytest.fixture(scope="module")
def fitted():
    return make(validation_fraction=0.1).fit(make_rows())


@pytest.fixture(scope="module")
def digits():
    """Models trained on digits, half to fit on and half held out, and inputs of their own."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    zoo = train_zoo(
        DIGITS, (images[:1000], labels[:1000]), n_models=96, epochs=12, batch_size=64,
        learning_rate=np.resize([4e-3, 8e-3], 96), random_state=0,
    )  # fmt: skip
    return zoo.weights[:72], zoo.weights[72:], images[:1000], images[1000:]


def fit_arm(digits, beta):
    training, _, queries, _ = digits
    return WeightSpaceAutoencoder(
        DIGITS, queries=queries, beta=beta, latent_dim=10, n_queries=128, d_model=32, n_layers=1,
        epochs=8, learning_rate=2e-3, random_state=0,
    ).fit(training)  # fmt: skip


@pytest.fixture(scope="module")
def arms(digits):
    return {"behavioral": fit_arm(digits, 0.1), "structural": fit_arm(digits, 1.0)}


def outputs_of(arm, digits):
    _, held_out, _, images = digits
    original = DIGITS.forward(held_out, images)
    return original, DIGITS.forward(arm.reconstruct(held_out), images)


@pytest.mark.slow
def test_the_behavioral_arm_beats_the_structural_arm_at_equal_steps(arms, digits):
    scores = {}
    for name, arm in arms.items():
        original, rebuilt = outputs_of(arm, digits)
        scores[name] = (
            metrics.agreement(original, rebuilt),
            metrics.agreement(original, rebuilt) - metrics.shuffled_agreement(original, rebuilt),
            metrics.behavioral_r2(original, rebuilt),
        )
    behavioral, structural = scores["behavioral"], scores["structural"]
    assert behavioral[0] > structural[0] + 0.1
    assert behavioral[1] > structural[1] + 0.02  # it is no single good model for everybody
    assert behavioral[2] > structural[2] + 1.0


@pytest.mark.slow
def test_refined_latents_behave_better_on_inputs_they_never_saw(arms, digits):
    arm = arms["behavioral"]
    refined = clone(arm).set_params(epochs=0, refine_steps=30).fit(digits[0])
    original, rebuilt = outputs_of(refined, digits)
    assert metrics.agreement(original, rebuilt) > metrics.agreement(*outputs_of(arm, digits))
    assert metrics.behavioral_r2(original, rebuilt) > 0.3
    alone = refined.transform(digits[1][:3])
    np.testing.assert_allclose(alone, refined.transform(digits[1])[:3], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_generated_models_work_and_differ(arms, digits):
    _, _, images, _ = digits
    labels = load_digits(return_X_y=True)[1][:1000]
    generated = arms["behavioral"].sample(20, random_state=0)
    outputs = DIGITS.forward(generated, images)
    assert metrics.accuracy(outputs, labels).mean() > 0.45  # chance is 0.1
    aligned = DIGITS.canonicalize(digits[1], digits[0][0])
    assert metrics.diversity(generated) > 0.5 * metrics.diversity(aligned)


@pytest.mark.slow
def test_rebuilt_rows_load_into_modules(arms, digits):
    _, held_out, _, images = digits
    rebuilt = arms["behavioral"].reconstruct(held_out[:3])
    expected = DIGITS.forward(rebuilt, images[:20])
    for row, outputs in zip(rebuilt, expected, strict=True):
        with torch.no_grad():
            given = DIGITS.module(row)(torch.from_numpy(images[:20]))
        np.testing.assert_allclose(given, outputs, atol=1e-5)


@pytest.mark.slow
def test_embeddings_of_permuted_copies_are_close(arms, digits):
    held_out = digits[1]
    arm = arms["behavioral"]
    latents = arm.transform(held_out)
    copies = arm.transform(DIGITS.permute(held_out, random_state=0))
    distances = np.linalg.norm(latents[:, None] - copies, axis=2)
    assert (distances.argmin(axis=1) == np.arange(len(held_out))).mean() > 0.95


def test_reconstruct_keeps_the_order_of_units_and_inverse_transform_the_references():
    rows = make_rows()
    autoencoder = make(latent_dim=100, epochs=0).fit(rows)
    np.testing.assert_allclose(autoencoder.reconstruct(rows), rows, atol=1e-3)
    again = autoencoder.inverse_transform(autoencoder.transform(rows))
    assert np.abs(again - rows).max() > 0.1
    outputs = [ARCHITECTURE.forward(r, QUERIES) for r in (rows, again)]
    np.testing.assert_allclose(*outputs, atol=1e-2)


def test_an_embedding_does_not_depend_on_its_neighbours(fitted):
    rows = make_rows(9, seed=3)
    together = fitted.transform(rows)
    alone = np.concatenate([fitted.transform(row[None]) for row in rows])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"behavioral_loss": "distillation", "gamma": 0.5}])
def test_one_seed_gives_one_result(parameters):
    rows = make_rows()
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (make(**parameters).fit(rows) for _ in range(2))
    np.testing.assert_array_equal(first.transform(rows), second.transform(rows))
    assert first.history_ == second.history_
    samples = [a.sample(4, random_state=1) for a in (first, second)]
    np.testing.assert_array_equal(*samples)
    other = make(**parameters, random_state=1).fit(rows)
    assert np.abs(other.transform(rows) - first.transform(rows)).max() > 1e-6
    assert torch.equal(state[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(state[1], np.random.get_state()[1])  # noqa: NPY002


def test_pickle_and_clone(fitted):
    rows = make_rows()
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.transform(rows), fitted.transform(rows))
    np.testing.assert_array_equal(
        loaded.sample(3, random_state=0), fitted.sample(3, random_state=0)
    )
    copy = clone(fitted).set_params(refine_steps=2).fit(rows)
    assert clone(copy).get_params()["refine_steps"] == 2
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.transform(rows), copy.transform(rows))


def test_fit_leaves_its_parameters_and_its_input_alone():
    rows, queries = make_rows(), QUERIES.copy()
    autoencoder = make()
    before = dict(autoencoder.get_params())
    autoencoder.fit(rows)
    assert all(autoencoder.get_params()[name] is value for name, value in before.items())
    np.testing.assert_array_equal(rows, make_rows())
    np.testing.assert_array_equal(queries, QUERIES)


def test_history_names_each_loss_for_training_and_validation(fitted):
    assert [row["epoch"] for row in fitted.history_] == [1, 2, 3]
    for row in fitted.history_:
        assert len(row) == 9
        assert np.isfinite(list(row.values())).all()
    structural = make(beta=1.0, queries=None, gamma=0.0, validation_fraction=0.0).fit(make_rows())
    row = structural.history_[0]
    assert np.isfinite([row["train_total"], row["train_structural"]]).all()
    assert np.isnan(
        [v for k, v in row.items() if "behav" in k or "contr" in k or "valid" in k]
    ).all()
    assert set(fitted.loss_scales_) == {"structural", "behavioral", "contrastive"}


@pytest.mark.slow
def test_training_lowers_the_total():
    autoencoder = make(epochs=30, learning_rate=3e-3).fit(make_rows(100))
    assert autoencoder.history_[-1]["train_total"] < autoencoder.history_[0]["train_total"]


@pytest.mark.slow
def test_models_are_held_out_only_where_something_uses_them():
    def n_trained(**parameters):
        fitted = make(batch_size=1, epochs=1, **parameters).fit(make_rows(20))
        validated = np.isfinite(fitted.history_[0]["valid_total"])
        return fitted.net_.history[0]["train_batch_count"], validated

    callback = EpochScoring(lambda net, X, y=None: 7.0, name="seven", on_train=True)
    assert n_trained() == (20, False)
    assert n_trained(callbacks=[callback]) == (18, True)
    assert n_trained(callbacks=[callback], validation_fraction=0.0) == (20, False)
    assert n_trained(validation_fraction=0.25) == (15, True)


def test_there_are_at_most_25_parameters():
    assert len(WeightSpaceAutoencoder().get_params()) <= 25


def test_callbacks_are_passed_on():
    seen = EpochScoring(lambda net, X, y=None: 7.0, name="seven", on_train=True)
    autoencoder = make(callbacks=[seen]).fit(make_rows())
    assert autoencoder.callbacks == [seen]
    assert autoencoder.net_.history[:, "seven"] == [7.0] * 3


@pytest.mark.slow
def test_regression_networks_with_several_outputs():
    rows = make_rows(60)
    rows *= np.random.default_rng(1).lognormal(size=(60, 1)).astype(np.float32)
    autoencoder = make(behavioral_loss="squared_error", latent_dim=12, epochs=5).fit(rows)
    outputs = [ARCHITECTURE.forward(r, QUERIES) for r in (rows, autoencoder.reconstruct(rows))]
    flat = [o.reshape(60, -1) for o in outputs]
    assert autoencoder.score(rows) == pytest.approx(metrics.explained_variance(*flat))
    assert autoencoder.score(rows) > 0.8
    of_mean = ARCHITECTURE.forward(autoencoder.codec_.normalization.mean[None].numpy(), QUERIES)
    squares = np.square(outputs[0] - of_mean).sum(axis=2).mean()  # not of softmax outputs
    assert squares == pytest.approx(autoencoder.loss_scales_["behavioral"], rel=0.2)


@pytest.mark.slow
def test_several_query_sets_are_all_learned_on():
    rows = make_rows()
    far = QUERIES + 10.0
    one, both = make().fit(rows), make(queries={"data": QUERIES, "far": far}).fit(rows)
    union = make(queries=np.concatenate([QUERIES, far])).fit(rows)
    assert both.loss_scales_["behavioral"] == pytest.approx(union.loss_scales_["behavioral"])
    assert both.loss_scales_["behavioral"] != pytest.approx(one.loss_scales_["behavioral"])
    outputs = [
        ARCHITECTURE.forward(r, np.concatenate([QUERIES, far]))
        for r in (rows, both.reconstruct(rows))
    ]
    assert both.score(rows) == pytest.approx(metrics.behavioral_r2(*outputs))


@pytest.mark.slow
def test_latents_of_each_layer_by_choice():
    autoencoder = make(latent_dim=[2, 50]).fit(make_rows())
    assert autoencoder.n_latents_ == 6 * 2 + 3 * 7  # an output has no more than 7 weights
    split = make(latent_dim=[2, 1], token_size=3).fit(make_rows())
    assert split.n_latents_ == 6 * 2 * 2 + 3 * 3 * 1


@pytest.mark.slow
def test_alignment_by_choice():
    rows = make_rows()
    free = make(align=False).fit(rows)
    assert free.codec_.normalization.ordering is None
    assert np.isfinite(free.history_[0]["train_contrastive"])
    fixed = make(permutations=False, align=True).fit(rows)
    assert fixed.codec_.normalization.ordering is not None
    assert np.isnan(fixed.history_[0]["train_contrastive"])
    copies = ARCHITECTURE.permute(rows, random_state=0)
    np.testing.assert_allclose(fixed.transform(copies), fixed.transform(rows), atol=1e-4)
    assert np.abs(free.transform(copies) - free.transform(rows)).max() > 0.1


@pytest.mark.parametrize("align", ["importance", "reference"])
def test_either_order_of_units_by_name(align):
    rows = make_rows()
    fitted = make(align=align).fit(rows)
    assert isinstance(fitted.codec_.normalization.ordering, ORDERINGS[align])
    copies = ARCHITECTURE.permute(rows, random_state=0)
    np.testing.assert_allclose(fitted.transform(copies), fitted.transform(rows), atol=1e-3)
    outputs = [ARCHITECTURE.forward(fitted.reconstruct(own), QUERIES) for own in (rows, copies)]
    np.testing.assert_allclose(*outputs, atol=1e-2)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(copies), fitted.transform(copies))


@pytest.mark.slow
def test_the_order_of_less_loss_is_used(digits):
    training, held_out, queries, images = digits
    fits = {}
    for align in (True, "importance", "reference"):
        own = WeightSpaceAutoencoder(
            DIGITS, queries=queries, latent_dim=8, d_model=8, n_layers=1, n_heads=2, epochs=0,
            align=align, random_state=0,
        ).fit(training)  # fmt: skip
        outputs = (DIGITS.forward(r, images) for r in (held_out, own.reconstruct(held_out)))
        fits[align] = type(own.codec_.normalization.ordering), metrics.behavioral_r2(*outputs)
    taken, other = fits["importance"], fits["reference"]
    if fits[True][0] is other[0]:
        taken, other = other, taken
    assert fits[True][0] is taken[0]
    assert taken[1] > other[1]


def test_units_are_not_ranked_without_models_that_run():
    with pytest.raises(InvalidInputError, match="align='importance' needs queries"):
        make(align="importance", beta=1.0).fit(make_rows())
    with pytest.raises(ValueError, match="'align' parameter"):
        make(align="size").fit(make_rows())


def fraction_identified(gamma):
    """Return how often a permuted copy is nearest to its original, in the contrastive space."""
    held_out = make_rows(40, seed=9)
    arm = make(
        align=False, beta=1.0, queries=None, gamma=gamma, batch_size=40, epochs=50,
        learning_rate=1e-2, validation_fraction=0.0,
    ).fit(make_rows(80))  # fmt: skip
    head, views = arm.codec_.network.project, []
    for rows in (held_out, ARCHITECTURE.permute(held_out, random_state=0)):
        view = head(torch.from_numpy(arm.transform(rows))).detach().numpy()
        views.append(view / np.linalg.norm(view, axis=1, keepdims=True))
    return ((views[0] @ views[1].T).argmax(axis=1) == np.arange(40)).mean()


@pytest.mark.slow
def test_contrastive_training_brings_permuted_copies_together():
    trained = fraction_identified(gamma=0.9)
    assert trained > 0.6
    assert trained > fraction_identified(gamma=0.0) + 0.2


@pytest.mark.parametrize("loss", ["l2", "squared_error", "cross_entropy", "distillation"])
def test_networks_with_one_output(loss):
    architecture = Architecture.mlp(4, [5], 1)
    rows = np.random.default_rng(0).normal(size=(20, architecture.n_weights))
    autoencoder = WeightSpaceAutoencoder(
        architecture, queries=QUERIES, behavioral_loss=loss, random_state=0, **SMALL
    ).fit(rows)
    assert np.isfinite(autoencoder.score(rows))


def test_without_an_architecture_any_array_will_do():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 90)) + 3.0
    autoencoder = WeightSpaceAutoencoder(token_size=30, random_state=0, **SMALL).fit(X)
    assert autoencoder.transform(X).shape == (60, autoencoder.n_latents_)
    assert np.isnan(autoencoder.history_[0]["train_contrastive"])
    assert autoencoder.score(X) == pytest.approx(
        metrics.explained_variance(X.astype(np.float32), autoencoder.reconstruct(X)), abs=1e-6
    )
    assert 0.3 < autoencoder.score(X) <= 1.0


def test_score_is_behavioral_r2_where_there_are_queries(fitted):
    rows = make_rows(10, seed=2)
    outputs = [ARCHITECTURE.forward(r, QUERIES) for r in (rows, fitted.reconstruct(rows))]
    assert fitted.score(rows) == pytest.approx(metrics.behavioral_r2(*outputs))


def test_in_pipelines_and_searches():
    rows = make_rows()
    target = rows.sum(axis=1)
    model = make_pipeline(make(), Ridge()).fit(rows, target)
    assert model.predict(rows).shape == (30,)
    search = GridSearchCV(make(epochs=1), {"beta": [0.1, 1.0]}, cv=2).fit(rows)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    frame = make().set_output(transform="pandas").fit(rows).transform(rows)
    assert frame.columns[0] == "weightspaceautoencoder0"


def test_token_kde_mixes_tokens(fitted):
    assert fitted.sample(5, method="token_kde", random_state=0).shape == (5, 51)
    anchors = make_rows(2, seed=8)
    generated = fitted.sample(6, anchors=anchors, bandwidth=0.0, random_state=0)
    rebuilt = fitted.inverse_transform(fitted.transform(anchors))
    nearest = np.linalg.norm(generated[:, None] - rebuilt, axis=2).min(axis=1)
    np.testing.assert_allclose(nearest, 0.0, atol=1e-4)


UNKNOWN = Architecture(nn.Sequential(nn.Linear(4, 6), nn.GLU(), nn.Linear(3, 3)))


def fit_unknown(**parameters):
    rows = np.random.default_rng(0).normal(size=(10, UNKNOWN.n_weights))
    return WeightSpaceAutoencoder(UNKNOWN, queries=QUERIES, **SMALL, **parameters).fit(rows)


def test_unknown_symmetries_are_refused_unless_permutations_are_off():
    with pytest.raises(UnsupportedModuleError, match="GLU"):
        fit_unknown()
    assert np.isnan(fit_unknown(permutations=False).history_[0]["train_contrastive"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: make().fit(make_rows()[:, :10]),
            "`X` must have 51 columns, .*; got 10",
        ),
        (
            lambda: make(queries=None).fit(make_rows()),
            "`queries` must be inputs.* beta=0.1.* got None",
        ),
        (
            lambda: make(queries=QUERIES[:, :3]).fit(make_rows()),
            "`queries` must have 4 columns.* got 3",
        ),
        (
            lambda: make(queries=QUERIES * np.nan).fit(make_rows()),
            "`queries` must be finite; got NaN",
        ),
        (lambda: make().fit(make_rows() * np.nan), "`X` must be finite; got NaN"),
        (lambda: make().fit(make_rows(1)), "minimum of 2 is required"),
        (
            lambda: make(d_model=15).fit(make_rows()),
            "`d_model` must be a multiple of n_heads=2; got 15",
        ),
        (
            lambda: make(queries={}).fit(make_rows()),
            "`queries` must hold at least one set; got an empty dict",
        ),
        (
            lambda: make(queries={"data": QUERIES, "noise": QUERIES[:, :3]}).fit(make_rows()),
            r"`queries\['noise'\]` must have 4 columns.* got 3",
        ),
        (
            lambda: make(latent_dim=[1, 2, 3]).fit(make_rows()),
            "`latent_dim` must.* one entry per layer, 2; got 3 entries",
        ),
        (lambda: make(latent_dim=[0, 0]).fit(make_rows()), r"`latent_dim` must.* got \[0, 0\]"),
        (lambda: make(latent_dim=[1.5, 2]).fit(make_rows()), r"`latent_dim` must.* got \[1.5, 2\]"),
        (lambda: make(beta=1.5).fit(make_rows()), "'beta' parameter"),
        (lambda: make(behavioral_loss="l3").fit(make_rows()), "'behavioral_loss' parameter"),
        (
            lambda: WeightSpaceAutoencoder(queries=QUERIES).fit(make_rows()),
            "`queries` needs an architecture",
        ),
    ],
)
def test_errors_of_fit_name_the_parameter(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: a.inverse_transform(np.zeros((2, 3))), "`Z` must have .* columns.* got 3"),
        (lambda a: a.sample(0), "`n_models` must be an int of at least 1; got 0"),
        (lambda a: a.sample(2, method="gan"), "`method` must be one of .*; got 'gan'"),
        (lambda a: a.sample(2, bandwidth=-1.0), "`bandwidth` must be .*; got -1.0"),
        (lambda a: a.sample(2, anchors=np.zeros((2, 3))), "`anchors` must have .*; got 3"),
        (lambda a: a.transform(np.zeros((2, 3))), "X has 3 features"),
    ],
)
def test_errors_of_use_name_the_argument(fitted, call, message):
    with pytest.raises(ValueError, match=message):
        call(fitted)
