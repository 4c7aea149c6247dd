"""The table of attack strategies: what each observes, requires and builds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..architectures import Architecture
from ..exceptions import InvalidInputError
from ._attack_context import AttackContext
from ._black_box import build_kl, build_loss, build_queries, build_threshold
from ._white_box import (
    build_autoencoder,
    build_deepsets,
    build_probes,
    build_sorted,
    build_statistics,
)


@dataclass(frozen=True)
class Strategy:
    """A strategy of an attack.

    Parameters
    ----------
    build : callable
        From an ``AttackContext`` to the unfitted estimator of rows.
    white_box : bool
        Whether it reads weights; otherwise it observes responses to queries.
    needs : tuple of str
        Parameters of the attack that it requires. Black-box strategies with an architecture also
        require ``queries``.
    has_meta_estimator : bool
        Whether ``meta_estimator`` can replace its last step.
    selects_queries : bool
        Whether it supports ``n_selected_queries``.
    leaves_out_diverged : bool
        Whether it does not learn from diverged models, one of which ruins its batch normalisation.
    """

    build: Callable[[AttackContext], Any]
    white_box: bool
    needs: tuple[str, ...] = ()
    has_meta_estimator: bool = True
    selects_queries: bool = False
    leaves_out_diverged: bool = False


STRATEGIES: dict[str, Strategy] = {
    "deepsets": Strategy(
        build_deepsets, white_box=True, has_meta_estimator=False, leaves_out_diverged=True
    ),
    "probes": Strategy(
        build_probes, white_box=True, has_meta_estimator=False, leaves_out_diverged=True
    ),
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
    """Return the name of the strategy, ``"auto"`` resolved; raise InvalidInputError if unknown."""
    if strategy == "auto":
        if autoencoder is not None:
            return "autoencoder"
        return "deepsets" if architecture is not None and queries is None else "queries"
    if strategy not in STRATEGIES:
        names = ", ".join(repr(name) for name in ("auto", *STRATEGIES))
        raise InvalidInputError(f"`strategy` must be one of {names}; got {strategy!r}.")
    return strategy


def build(name: str, context: AttackContext) -> Any:
    """Return the estimator of a strategy; raise if it lacks a parameter or cannot use one."""
    strategy = STRATEGIES[name]
    for parameter in strategy.needs:
        if getattr(context, parameter) is None:
            raise InvalidInputError(
                f"`{parameter}` must be given for strategy {name!r}: {MEANINGS[parameter]}, of "
                "shape (n_queries,); got None."
            )
    if context.meta_estimator is not None and not strategy.has_meta_estimator:
        raise InvalidInputError(
            f"`meta_estimator` must be None for strategy {name!r}, which learns the property "
            f"itself; got {context.meta_estimator!r}."
        )
    if context.n_selected_queries is not None and not strategy.selects_queries:
        selecting = ", ".join(repr(n) for n, each in STRATEGIES.items() if each.selects_queries)
        raise InvalidInputError(
            f"`n_selected_queries` must be None for strategy {name!r}; got "
            f"{context.n_selected_queries}. It is used by the strategies {selecting}."
        )
    return strategy.build(context)
