"""The estimators of the strategies that see answers to queries.

The table of strategies lives in ``_strategies``, those that read weights in ``_white_box``.
"""

from dataclasses import replace
from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from .._validation import check_length
from ..features import QueryResponses
from ..features._query_responses import check_queries
from ._attack_context import AttackContext, meta_estimator
from .black_box._kl import KLClassifier, KLRegressor
from .black_box._loss_based import GroupLosses, LossTestClassifier, LossTestRegressor
from .black_box._query_selection import ChosenQueries
from .black_box._responses import ResponseFormat, read_answers


def build_queries(setting: AttackContext) -> Pipeline:
    """Return a meta-estimator of query responses, of X itself without an architecture.

    Logits are compared with one another: on logistic regressions of three properties it made 10
    points with 64 shadow models and 6 with 1024.
    """
    answers, steps = asked(setting), asking(setting)
    if answers.have_common_part:
        steps.append(FunctionTransformer(answers.contrasts))
    return make_pipeline(*steps, meta_estimator(setting))


def build_loss(setting: AttackContext) -> Pipeline:
    """Return the loss test on query responses."""
    test = LossTestClassifier if setting.is_classifier else LossTestRegressor
    return make_pipeline(*asking(setting), test(group_losses(setting)))


def build_threshold(setting: AttackContext) -> Pipeline:
    """Return a tree with a leaf for each class, or a regressor, on the losses of each group."""
    if setting.meta_estimator is None and setting.is_classifier:
        decide = DecisionTreeClassifier(max_leaf_nodes=setting.n_classes, random_state=setting.seed)
    else:
        decide = meta_estimator(setting)
    return make_pipeline(*asking(setting), group_losses(setting), decide)


def build_kl(setting: AttackContext) -> Pipeline:
    """Return the votes of pairs of shadow models on query responses."""
    vote = KLClassifier if setting.is_classifier else KLRegressor
    return make_pipeline(*asking(setting), vote(asked(setting)))


def asking(setting: AttackContext) -> list[Any]:
    """Return the steps from rows to answers: none where X holds them all."""
    read_setting(setting)
    if setting.n_selected_queries is not None:
        chosen = ChosenQueries(
            setting.architecture,
            setting.queries,
            setting.query_output,
            setting.n_selected_queries,
            read_setting(setting),
            not setting.is_classifier,
        )
        return [chosen]
    if setting.architecture is None:
        return []
    return [QueryResponses(setting.architecture, setting.queries, output=setting.query_output)]


def asked(setting: AttackContext) -> ResponseFormat:
    """Return how answers are read once queries have been selected."""
    answers = read_setting(setting)
    if setting.n_selected_queries is None:
        return answers
    return replace(answers, n_queries=setting.n_selected_queries)


def read_setting(setting: AttackContext) -> ResponseFormat:
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


def group_losses(setting: AttackContext) -> GroupLosses:
    """Return the transformer from answers to losses on the queries of each property."""
    return GroupLosses(
        read_setting(setting),
        setting.query_labels,
        setting.query_properties,
        not setting.is_classifier,
    )
