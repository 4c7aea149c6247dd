"""Which attacks are run: names of strategies and estimators, resolved to specs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...exceptions import InvalidInputError, UnsupportedModuleError


@dataclass(frozen=True)
class AttackSpec:
    """One attack of an audit.

    Parameters
    ----------
    name : str
        Name in the report.
    is_white_box : bool
        Whether it reads weights; otherwise it observes responses to queries.
    estimator : estimator
        Unfitted estimator that learns the property from one row per model.
    """

    name: str
    is_white_box: bool
    estimator: Any


def resolve_attacks(attacks: Any, is_numeric: bool) -> list[AttackSpec]:
    """Return the specs of attacks.

    Parameters
    ----------
    attacks : str, attack estimator, sequence of such, or dict from name to such
        Strings are strategies of the estimators of ``wsl.attacks``.
    is_numeric : bool
        Whether the property is continuous.
    """
    if isinstance(attacks, Mapping):
        specs = [replace(_spec(a, is_numeric), name=str(name)) for name, a in attacks.items()]
    else:
        is_one = isinstance(attacks, str) or not isinstance(attacks, Iterable)
        specs = [_spec(attack, is_numeric) for attack in ([attacks] if is_one else attacks)]
    if not specs:
        raise InvalidInputError("`attacks` must name at least one attack; got none.")
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise InvalidInputError(
            f"`attacks` must name each attack once; got {names}. To run a strategy twice, pass a "
            "dict from names to attacks."
        )
    return specs


def _spec(attack: Any, is_numeric: bool) -> AttackSpec:
    """Return the spec of one attack, under the name of its strategy."""
    from ...attacks import (
        STRATEGIES,
        DistributionInferenceAttack,
        DistributionInferenceRegressor,
    )

    estimator_class = DistributionInferenceRegressor if is_numeric else DistributionInferenceAttack
    if isinstance(attack, str):
        attack = estimator_class(strategy=attack)
    elif not isinstance(attack, estimator_class):
        kind = "continuous" if is_numeric else "a class"
        raise UnsupportedModuleError(
            f"`attacks` must be names of strategies or instances of {estimator_class.__name__}, as "
            f"the property is {kind}; got {attack!r}."
        )
    if attack.strategy not in STRATEGIES:
        raise InvalidInputError(
            f"`attacks` must be among {sorted(STRATEGIES)}; got {attack.strategy!r}."
        )
    return AttackSpec(attack.strategy, STRATEGIES[attack.strategy].white_box, attack)
