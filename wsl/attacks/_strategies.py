"""The strategies of an attack: a name, what it sees and needs, and what estimator it builds.

The estimators that users construct live in ``_attack``, the parts of the attacks beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from .._validation import check_length
from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ..features import QueryResponses, SortedWeights, WeightStatistics
from ..features._responses import check_queries
from ._answers import Answers, read_answers
from ._deepsets import DeepSetsClassifier, DeepSetsRegressor
from ._kl import KLClassifier, KLRegressor
from ._loss_test import GroupLosses, LossTestClassifier, LossTestRegressor
from ._selection import ChosenQueries
from ._wide_kernel import WideKernelClassifier, WideKernelRegressor

FEW_MODELS = 512


@dataclass(frozen=True)
class AttackSetting:
    """What a builder knows of the attack and of the shadow models that it will be fitted to."""

    n_classes: int | None  # of the property; None where it is a number
    architecture: Architecture | None
    queries: Any
    query_labels: Any
    query_properties: Any
    query_output: str
    n_selected_queries: int | None
    autoencoder: Any
    meta_estimator: Any
    device: Any
    seed: int
    verbose: int
    n_models: int
    n_columns: int

    @property
    def is_classifier(self) -> bool:
        """Whether the property is a class."""
        return self.n_classes is not None


@dataclass(frozen=True)
class Strategy:
    """An attack by name: ``build`` makes its estimator of rows, not yet fitted.

    Parameters
    ----------
    build : callable
    white_box : bool
        Whether it reads weights, and not answers to queries.
    needs : tuple of str
        Parameters of the attack that it cannot do without; ``queries`` beside them, for a black box
        with an architecture.
    has_meta_estimator : bool
        Whether ``meta_estimator`` takes the place of a part of it.
    selects_queries : bool
        Whether it asks the best queries alone, if so wished.
    """

    build: Callable[[AttackSetting], Any]
    white_box: bool
    needs: tuple[str, ...] = ()
    has_meta_estimator: bool = True
    selects_queries: bool = False


def build_deepsets(setting: AttackSetting) -> Any:
    """Return a DeepSets estimator of rows of weights."""
    estimator = DeepSetsClassifier if setting.is_classifier else DeepSetsRegressor
    return estimator(
        setting.architecture,
        # with few models it is the number of steps that is short
        batch_size=16 if setting.n_models <= FEW_MODELS else 32,
        device=setting.device,
        random_state=setting.seed,
        verbose=setting.verbose,
    )


def build_sorted(setting: AttackSetting) -> Pipeline:
    """Return a meta-estimator of weights whose units were aligned."""
    return make_pipeline(SortedWeights(setting.architecture), meta_estimator(setting))


def build_statistics(setting: AttackSetting) -> Pipeline:
    """Return a meta-estimator of statistics of each layer."""
    return make_pipeline(WeightStatistics(setting.architecture), meta_estimator(setting))


def build_autoencoder(setting: AttackSetting) -> Pipeline:
    """Return a meta-estimator of the embedding of an autoencoder, which is kept if it is fitted."""
    given = setting.autoencoder
    if given is None:
        embedding = small_autoencoder(setting)
    elif is_fitted(given):
        n_weights = getattr(given, "n_features_in_", setting.n_columns)
        if n_weights != setting.n_columns:
            raise InvalidInputError(
                f"X has {setting.n_columns} columns, but autoencoder was fitted to {n_weights}"
            )
        embedding = given if isinstance(given, FrozenEstimator) else FrozenEstimator(given)
    else:
        embedding = clone(given)
    return make_pipeline(embedding, meta_estimator(setting))


def small_autoencoder(setting: AttackSetting) -> Any:
    """Return an autoencoder that is trained in seconds on some hundred small models."""
    from ..autoencoder import WeightSpaceAutoencoder

    behaves = setting.architecture is not None and setting.queries is not None
    return WeightSpaceAutoencoder(
        setting.architecture,
        queries=setting.queries if behaves else None,
        beta=0.1 if behaves else 1.0,
        latent_dim=8,
        d_model=32,
        n_layers=1,
        n_heads=2,
        epochs=10,
        device=setting.device,
        random_state=setting.seed,
        verbose=setting.verbose,
    )


def build_queries(setting: AttackSetting) -> Pipeline:
    """Return a meta-estimator of query responses, of X itself without an architecture."""
    return make_pipeline(*asking(setting), meta_estimator(setting))


def build_loss(setting: AttackSetting) -> Pipeline:
    """Return the loss test on query responses."""
    test = LossTestClassifier if setting.is_classifier else LossTestRegressor
    return make_pipeline(*asking(setting), test(group_losses(setting)))


def build_threshold(setting: AttackSetting) -> Pipeline:
    """Return a tree with a leaf for each class, or a regressor, on the losses of each group."""
    if setting.meta_estimator is None and setting.is_classifier:
        decide = DecisionTreeClassifier(max_leaf_nodes=setting.n_classes, random_state=setting.seed)
    else:
        decide = meta_estimator(setting)
    return make_pipeline(*asking(setting), group_losses(setting), decide)


def build_kl(setting: AttackSetting) -> Pipeline:
    """Return the votes of pairs of shadow models on query responses."""
    answers = read_setting(setting)
    if setting.n_selected_queries is not None:
        answers = replace(answers, n_queries=setting.n_selected_queries)
    vote = KLClassifier if setting.is_classifier else KLRegressor
    return make_pipeline(*asking(setting), vote(answers))


def asking(setting: AttackSetting) -> list[Any]:
    """Return the steps from rows to answers: none where X holds them all."""
    read_setting(setting)
    if setting.n_selected_queries is not None:
        chosen = ChosenQueries(
            setting.architecture,
            setting.queries,
            setting.query_output,
            setting.n_selected_queries,
            read_setting(setting).n_queries,
            not setting.is_classifier,
        )
        return [chosen]
    if setting.architecture is None:
        return []
    return [QueryResponses(setting.architecture, setting.queries, output=setting.query_output)]


def read_setting(setting: AttackSetting) -> Answers:
    """Return how answers are read; InvalidInputError where queries, labels and X do not fit."""
    queries = check_queries(setting.architecture, setting.queries)
    n_queries, of = setting.n_columns, "X"
    if queries is not None:
        n_queries, of = len(queries), "queries"
    elif setting.query_labels is not None:
        n_queries, of = len(setting.query_labels), "query_labels"
    elif setting.query_properties is not None:
        n_queries = len(setting.query_properties)
    for name in ("query_labels", "query_properties"):
        if getattr(setting, name) is not None and of != "X":
            check_length(getattr(setting, name), n_queries, name, of)
    n_columns = setting.n_columns
    if setting.architecture is not None:
        by_label = setting.query_output == "label"
        n_columns = n_queries * (1 if by_label else setting.architecture.n_outputs)
    return read_answers(n_columns, n_queries, setting.query_output, setting.query_labels)


def group_losses(setting: AttackSetting) -> GroupLosses:
    """Return the transformer from answers to losses on the queries of each property."""
    return GroupLosses(
        read_setting(setting),
        setting.query_labels,
        setting.query_properties,
        not setting.is_classifier,
    )


def meta_estimator(setting: AttackSetting) -> Any:
    """Return what learns the property from features: a copy of that given, or the default.

    Against an MLP (128, 64), the published choice, logistic regression on a wide kernel was from
    two points below to seven above at a fraction of its time. Least squares on it, chosen and
    calibrated on models left out, is as accurate, and with few models its probabilities are several
    times as close to the frequencies.
    """
    if setting.meta_estimator is not None:
        return clone(setting.meta_estimator)
    default = WideKernelClassifier if setting.is_classifier else WideKernelRegressor
    return default(setting.seed)


def is_fitted(estimator: Any) -> bool:
    """Tell whether an estimator has been fitted."""
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


STRATEGIES: dict[str, Strategy] = {
    "deepsets": Strategy(build_deepsets, white_box=True, has_meta_estimator=False),
    "sorted": Strategy(build_sorted, white_box=True),
    "statistics": Strategy(build_statistics, white_box=True),
    "autoencoder": Strategy(build_autoencoder, white_box=True),
    "queries": Strategy(build_queries, white_box=False, selects_queries=True),
    "loss": Strategy(
        build_loss,
        white_box=False,
        needs=("query_labels", "query_properties"),
        has_meta_estimator=False,
    ),
    "threshold": Strategy(
        build_threshold, white_box=False, needs=("query_labels", "query_properties")
    ),
    "kl": Strategy(build_kl, white_box=False, has_meta_estimator=False, selects_queries=True),
}

MEANINGS = {
    "query_labels": "the true target of each query",
    "query_properties": "the property under which each query was drawn",
}


def resolve_strategy(
    strategy: str, architecture: Architecture | None, queries: Any, autoencoder: Any = None
) -> str:
    """Return the name of the strategy; InvalidInputError with the known ones if it is unknown."""
    if strategy == "auto":
        if autoencoder is not None:
            return "autoencoder"
        return "deepsets" if architecture is not None and queries is None else "queries"
    if strategy not in STRATEGIES:
        known = ", ".join(repr(name) for name in ("auto", *STRATEGIES))
        raise InvalidInputError(f"strategy={strategy!r} is unknown; wanted one of {known}")
    return strategy


def build(name: str, setting: AttackSetting) -> Any:
    """Return the estimator of a strategy; InvalidInputError for what it misses or cannot use."""
    strategy = STRATEGIES[name]
    for parameter in strategy.needs:
        if getattr(setting, parameter) is None:
            raise InvalidInputError(
                f"{parameter}=None, but strategy {name!r} needs it; wanted "
                f"{MEANINGS[parameter]}, (n_queries,)"
            )
    if setting.meta_estimator is not None and not strategy.has_meta_estimator:
        raise InvalidInputError(
            f"meta_estimator={setting.meta_estimator!r} was given, but strategy {name!r} is its "
            "own meta-estimator; wanted one of the two"
        )
    if setting.n_selected_queries is not None and not strategy.selects_queries:
        able = ", ".join(repr(n) for n, each in STRATEGIES.items() if each.selects_queries)
        raise InvalidInputError(
            f"n_selected_queries={setting.n_selected_queries}, but strategy {name!r} selects none; "
            f"wanted None, or one of the strategies {able}"
        )
    return strategy.build(setting)
