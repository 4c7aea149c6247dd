"""The strategies of an attack: a name, what it sees and needs, and what estimator it builds.

The estimators that users construct live in ``_attack``, what is built in ``_white_box`` and
``_black_box``.
"""

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

    build: Callable[[AttackContext], Any]
    white_box: bool
    needs: tuple[str, ...] = ()
    has_meta_estimator: bool = True
    selects_queries: bool = False


STRATEGIES: dict[str, Strategy] = {
    "deepsets": Strategy(build_deepsets, white_box=True, has_meta_estimator=False),
    "probes": Strategy(build_probes, white_box=True, has_meta_estimator=False),
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


def build(name: str, setting: AttackContext) -> Any:
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
