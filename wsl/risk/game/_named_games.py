"""The risks that have a name, each as a game: what is fixed of prior, property, loss and view.

How a game is played lives in ``_game``.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sklearn.ensemble import RandomForestClassifier

from ...distributions import (
    DistributionFamily,
    EnvironmentMembershipFamily,
    Interval,
    RecordMembershipFamily,
    SubsampledFamily,
)
from ...exceptions import InvalidInputError
from .._adversary import resolve_adversary
from ._inference_game import InferenceGame


def property_inference(learner: Any, family: DistributionFamily, **options: Any) -> InferenceGame:
    r"""Return the game of telling apart the few distributions that a family has.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo``
    family : DistributionFamily
        Its property is one of a few classes.
    options : keyword arguments
        Further parameters of :class:`InferenceGame`, here and below.

    Returns
    -------
    InferenceGame

    Raises
    ------
    InvalidInputError
        If the family's property is a number.

    Notes
    -----
    .. math:: \pi = \mathrm{Unif}\{D_1, \dots, D_K\}, \quad f(D_k) = k, \quad
              \ell(a, b) = 1[a \neq b], \quad R_0 = 1 - 1 / K.

    References
    ----------
    Ateniese et al., "Hacking smart machines with smarter ones", IJSN 2015; Ganju et al., "Property
    inference attacks on fully connected neural networks using permutation invariant
    representations", CCS 2018.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl.distributions import GaussianFamily
    >>> from wsl.risk import property_inference
    >>> property_inference(LinearRegression(), GaussianFamily("mean")).loss
    'zero_one'
    """
    if family.is_numeric:
        raise InvalidInputError(
            f"family has the properties {family.property_values!r}; wanted a few classes"
        )
    return InferenceGame(learner=learner, prior=family, loss="zero_one", **options)


def ratio_inference(
    learner: Any,
    X: Any,
    y: Any,
    attribute: Any,
    *,
    value: Any = None,
    ratios: tuple[float, float] = (0.2, 0.5),
    **options: Any,
) -> InferenceGame:
    r"""Return the game of telling two shares of a group apart: distribution inference by ratio.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo``
    X, y, attribute, value : as of :class:`wsl.distributions.SubsampledFamily`
    ratios : tuple of two floats, default=(0.2, 0.5)
    options : keyword arguments

    Returns
    -------
    InferenceGame

    Notes
    -----
    With :math:`D_\alpha` the table's distribution reweighed so that the group G has the share
    :math:`\alpha`,

    .. math:: \pi = \mathrm{Unif}\{D_{\alpha_0}, D_{\alpha_1}\}, \quad
              f(D) = P_D(X \in G), \quad \ell(a, b) = 1[a \neq b], \quad R_0 = 1/2.

    ``n_leaked_bound`` is that of [1]_.

    References
    ----------
    .. [1] Suri and Evans, "Formalizing and estimating distribution inference risks", PETS 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from wsl.risk import ratio_inference
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> game = ratio_inference(DecisionTreeClassifier(), X, y, X[:, 0] > 13, access="black_box")
    >>> game.prior.properties
    (0.2, 0.5)
    """
    family = SubsampledFamily(X, y, attribute, value=value, properties=tuple(ratios))
    if len(ratios) != 2:
        raise InvalidInputError(f"ratios={ratios!r}; wanted two")
    return property_inference(learner, family, **options)


def proportion_regression(
    learner: Any,
    X: Any,
    y: Any,
    attribute: Any,
    *,
    value: Any = None,
    interval: Interval = Interval(0, 1),  # noqa: B008 - it is frozen
    **options: Any,
) -> InferenceGame:
    r"""Return the game of guessing the share of a group: attribute-proportion regression.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo``
    X, y, attribute, value : as of :class:`wsl.distributions.SubsampledFamily`
    interval : Interval, default=Interval(0, 1)
    options : keyword arguments

    Returns
    -------
    InferenceGame

    Notes
    -----
    .. math:: \alpha \sim \mathrm{Unif}[l, u], \quad D = D_\alpha, \quad f(D_\alpha) = \alpha,
              \quad \ell(a, b) = |a - b|, \quad R_0 = (u - l) / 4.

    References
    ----------
    Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of leakage",
    SaTML 2023; Zhang, Tople and Ohrimenko, "Leakage of dataset properties in multi-party machine
    learning", USENIX Security 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from wsl.risk import proportion_regression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> proportion_regression(DecisionTreeClassifier(), X, y, X[:, 0] > 13).prior.properties
    Interval(low=0, high=1)
    """
    if not isinstance(interval, Interval):
        raise InvalidInputError(f"interval={interval!r}; wanted an Interval")
    family = SubsampledFamily(X, y, attribute, value=value, properties=interval)
    return InferenceGame(learner=learner, prior=family, loss="absolute", **options)


def environment_membership_inference(
    learner: Any,
    environments: Sequence[Any],
    *,
    member: int = -1,
    equal_size: bool = True,
    **options: Any,
) -> InferenceGame:
    r"""Return the game of whether an environment was in: distributional membership inference.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo``
    environments, member, equal_size : as of :class:`wsl.distributions.EnvironmentMembershipFamily`
    options : keyword arguments

    Returns
    -------
    InferenceGame

    Notes
    -----
    With environments :math:`E_1, \dots, E_m` of which i is the member,

    .. math:: D_1 = \frac1m \sum_k E_k, \quad D_0 = \frac1{m - 1} \sum_{k \neq i} E_k, \quad
              \pi = \mathrm{Unif}\{D_0, D_1\}, \quad f(D) = 1[D = D_1], \quad R_0 = 1/2.

    References
    ----------
    Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of leakage",
    SaTML 2023.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl.distributions import EnvironmentMembershipFamily
    >>> from wsl.risk import environment_membership_inference
    >>> samplers = EnvironmentMembershipFamily.linear_causal().environments
    >>> environment_membership_inference(LinearRegression(), samplers).prior.member
    3
    """
    family = EnvironmentMembershipFamily(environments, member=member, equal_size=equal_size)
    return property_inference(learner, family, **options)


def record_membership_inference(
    learner: Any, X: Any, y: Any, *, record: int = 0, **options: Any
) -> InferenceGame:
    r"""Return the game of whether one record was in: dataset-level membership inference.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo``
    X : array ``(n_rows, n_features)``
    y : array ``(n_rows,)``
    record : int, default=0
        Index of the row that the adversary asks about: its only query, unless the adversary has
        other queries than "family".
    options : keyword arguments
        By default a black box, attacked by a forest on its answers.

    Returns
    -------
    InferenceGame

    Notes
    -----
    The limit where the two distributions of training sets differ in one row. With the record z,
    which the adversary knows, and :math:`S'` of n - 1 rows and :math:`S''` of n from the others,

    .. math:: D_1: S = S' \cup \{z\}, \quad D_0: S = S'', \quad \pi = \mathrm{Unif}\{D_0, D_1\},
              \quad f(D) = 1[z \in S], \quad R_0 = 1/2,

    and the advantage is that of [1]_, the true-positive rate less the false-positive rate, for
    this record; theirs is its mean over records. Rows tell nothing but the record itself, so
    ``n_row_sets=0`` saves their time.

    References
    ----------
    .. [1] Yeom, Giacomelli, Fredrikson and Jha, "Privacy risk in machine learning: analyzing the
       connection to overfitting", CSF 2018, experiment 1 and definition 4.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from wsl.risk import Adversary, record_membership_inference
    >>> X, y = load_diabetes(return_X_y=True)
    >>> game = record_membership_inference(KNeighborsRegressor(1), X, y, n_samples=100,
    ...                                    adversary=Adversary(n_shadows=128))
    >>> report = game.play(n_targets=64, n_repeats=2, n_row_sets=0, random_state=0, progress=False)
    >>> float(report.table["risk"].iloc[0]) < 0.2
    True
    """
    from ...attacks import DistributionInferenceAttack  # here: other games do without torch

    family = RecordMembershipFamily(X, y, record)
    # members answer the label itself, others to either side: no straight line parts them
    forest = RandomForestClassifier(min_samples_leaf=3)
    attack = DistributionInferenceAttack("queries", meta_estimator=forest)
    adversary = resolve_adversary(options.pop("adversary", None))
    if isinstance(adversary.queries, str) and adversary.queries == "family":
        adversary = replace(adversary, queries=family.record_row)
    known = {"adversary": adversary, "access": "black_box", "attacks": [attack]} | options
    return property_inference(learner, family, **known)
