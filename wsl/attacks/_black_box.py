"""Building the estimators of black-box strategies, which observe responses to queries."""

from dataclasses import replace
from typing import Any

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from .._validation import check_length
from ..features import QueryResponses
from ..features._query_responses import check_queries
from ._attack_context import AttackContext, resolve_meta_estimator
from .black_box._kl import KLClassifier, KLRegressor
from .black_box._loss_based import GroupLosses, LossTestClassifier, LossTestRegressor
from .black_box._query_selection import SelectedQueryResponses
from .black_box._responses import ResponseFormat, infer_format


def build_queries(context: AttackContext) -> Pipeline:
    """Return a meta-estimator on responses, with logits centred over the classes of a query."""
    response_format, steps = selected_format(context), response_steps(context)
    if response_format.has_common_offset:
        steps.append(FunctionTransformer(response_format.contrasts))
    return make_pipeline(*steps, resolve_meta_estimator(context))


def build_loss(context: AttackContext) -> Pipeline:
    """Return the loss test on responses."""
    test = LossTestClassifier if context.is_classifier else LossTestRegressor
    return make_pipeline(*response_steps(context), test(group_losses(context)))


def build_threshold(context: AttackContext) -> Pipeline:
    """Return a decision tree with one leaf per class, or a regressor, on the losses per group."""
    if context.meta_estimator is None and context.is_classifier:
        last = DecisionTreeClassifier(max_leaf_nodes=context.n_classes, random_state=context.seed)
    else:
        last = resolve_meta_estimator(context)
    return make_pipeline(*response_steps(context), group_losses(context), last)


def build_kl(context: AttackContext) -> Pipeline:
    """Return the votes of pairs of shadow models on responses."""
    vote = KLClassifier if context.is_classifier else KLRegressor
    return make_pipeline(*response_steps(context), vote(selected_format(context)))


def response_steps(context: AttackContext) -> list[Any]:
    """Return the Pipeline steps from rows to responses; none if X holds the responses."""
    response_format = all_queries_format(context)
    if context.n_selected_queries is not None:
        selection = SelectedQueryResponses(
            context.architecture,
            context.queries,
            context.query_output,
            context.n_selected_queries,
            response_format,
            not context.is_classifier,
        )
        return [selection]
    if context.architecture is None:
        return []
    return [QueryResponses(context.architecture, context.queries, output=context.query_output)]


def selected_format(context: AttackContext) -> ResponseFormat:
    """Return the format of the responses to the selected queries."""
    response_format = all_queries_format(context)
    if context.n_selected_queries is None:
        return response_format
    return replace(response_format, n_queries=context.n_selected_queries)


def all_queries_format(context: AttackContext) -> ResponseFormat:
    """Return the format of the responses to all queries; raise if queries and labels differ."""
    queries = check_queries(context.architecture, context.queries)
    n_queries, source = context.n_columns, "X"
    if queries is not None:
        n_queries, source = len(queries), "queries"
    elif context.query_labels is not None:
        n_queries, source = len(context.query_labels), "query_labels"
    elif context.query_properties is not None:
        n_queries = len(context.query_properties)
    for name in ("query_labels", "query_properties"):
        if getattr(context, name) is not None and source != "X":
            check_length(getattr(context, name), n_queries, name, source)
    n_columns = context.n_columns
    if context.architecture is not None:
        labels_only = context.query_output == "label"
        architecture = context.architecture.for_inputs(queries)
        n_columns = n_queries * (1 if labels_only else architecture.n_outputs)
    return infer_format(n_columns, n_queries, context.query_output, context.query_labels)


def group_losses(context: AttackContext) -> GroupLosses:
    """Return the transformer from responses to mean losses on the queries of each property."""
    return GroupLosses(
        all_queries_format(context),
        context.query_labels,
        context.query_properties,
        not context.is_classifier,
    )
