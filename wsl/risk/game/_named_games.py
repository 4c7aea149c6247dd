"""Risks that have a name in the literature, each as a game."""

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
from .._input_checks import check_adversary, resolve_family
from ._inference_game import InferenceGame


def property_inference(learner: Any, family: DistributionFamily, **options: Any) -> InferenceGame:
    r"""Return the game of which of a few distributions the training data came from.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the target models, as in :func:`audit`.
    family : DistributionFamily
        The distributions; its property is one of a few classes.
    **options : object
        Further parameters of :class:`InferenceGame`.

    Returns
    -------
    InferenceGame
        A game with zero-one loss, ready to ``play``.

    Raises
    ------
    InvalidInputError
        If the family's property is continuous.

    See Also
    --------
    ratio_inference : The game of which of two proportions it was.
    environment_membership_inference : The game of whether an environment was part of the data.

    Notes
    -----
    With K distributions [1]_ [2]_,

    .. math:: \pi = \mathrm{Unif}\{D_1, \dots, D_K\}, \quad f(D_k) = k, \quad
              \ell(a, b) = 1[a \neq b], \quad R_0 = 1 - 1 / K.

    References
    ----------
    .. [1] Ateniese et al., "Hacking smart machines with smarter ones", IJSN 2015.
    .. [2] Ganju et al., "Property inference attacks on fully connected neural networks using
       permutation invariant representations", CCS 2018.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from wsl.distributions import GaussianFamily
    >>> from wsl.risk import property_inference
    >>> property_inference(LinearRegression(), GaussianFamily("mean")).loss
    'zero_one'
    """
    family = resolve_family(family, "family")
    if family.is_numeric:
        raise InvalidInputError(
            f"`family` must have a few classes as properties; got {family.property_values!r}."
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
    r"""Return the game of which of two proportions a group had in the training data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the target models, as in :func:`audit`.
    X : array-like of shape (n_rows, n_features)
        Rows of the table from which training sets are drawn.
    y : array-like of shape (n_rows,)
        Their targets.
    attribute : array-like of shape (n_rows,), or column of X
        What defines the group, as in :class:`wsl.SubsampledFamily`.
    value : object, optional
        Value of the attribute in the group; by default the attribute is boolean.
    ratios : tuple of two floats, default=(0.2, 0.5)
        The two proportions, which are equally likely.
    **options : object
        Further parameters of :class:`InferenceGame`.

    Returns
    -------
    InferenceGame
        A game with zero-one loss, ready to ``play``.

    Raises
    ------
    InvalidInputError
        If there are not two ratios, or the table has too few rows of the group.

    See Also
    --------
    proportion_regression : The game of what proportion it was, of any in an interval.

    Notes
    -----
    With :math:`D_\alpha` the table's distribution, reweighted so that the group G has the
    proportion :math:`\alpha`,

    .. math:: \pi = \mathrm{Unif}\{D_{\alpha_0}, D_{\alpha_1}\}, \quad
              f(D) = P_D(X \in G), \quad \ell(a, b) = 1[a \neq b], \quad R_0 = 1/2.

    ``n_leaked_bound`` of the report is that of [1]_.

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
    if not isinstance(ratios, (tuple, list)) or len(ratios) != 2:
        raise InvalidInputError(f"`ratios` must be two proportions; got {ratios!r}.")
    family = SubsampledFamily(X, y, attribute, value=value, properties=tuple(ratios))
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
    r"""Return the game of what proportion a group had in the training data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the target models, as in :func:`audit`.
    X : array-like of shape (n_rows, n_features)
        Rows of the table from which training sets are drawn.
    y : array-like of shape (n_rows,)
        Their targets.
    attribute : array-like of shape (n_rows,), or column of X
        What defines the group, as in :class:`wsl.SubsampledFamily`.
    value : object, optional
        Value of the attribute in the group; by default the attribute is boolean.
    interval : Interval, default=Interval(0, 1)
        Range of the proportion, which is uniform in it.
    **options : object
        Further parameters of :class:`InferenceGame`.

    Returns
    -------
    InferenceGame
        A game with absolute loss, ready to ``play``.

    Raises
    ------
    InvalidInputError
        If ``interval`` is not an Interval of proportions.

    See Also
    --------
    ratio_inference : The game of which of two proportions it was.

    Notes
    -----
    With :math:`D_\alpha` as in :func:`ratio_inference`, and the bounds l and u of the interval
    [1]_ [2]_,

    .. math:: \alpha \sim \mathrm{Unif}[l, u], \quad D = D_\alpha, \quad f(D_\alpha) = \alpha,
              \quad \ell(a, b) = |a - b|, \quad R_0 = (u - l) / 4.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.
    .. [2] Zhang, Tople and Ohrimenko, "Leakage of dataset properties in multi-party machine
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
        raise InvalidInputError(f"`interval` must be an Interval; got {interval!r}.")
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
    r"""Return the game of whether one environment was part of the training data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the target models, as in :func:`audit`.
    environments : sequence of callables
        Samplers of the environments, as in :class:`wsl.EnvironmentMembershipFamily`.
    member : int, default=-1
        Index of the environment in question.
    equal_size : bool, default=True
        If True, training sets have as many rows without the environment as with it.
    **options : object
        Further parameters of :class:`InferenceGame`.

    Returns
    -------
    InferenceGame
        A game with zero-one loss, ready to ``play``.

    See Also
    --------
    record_membership_inference : The game of whether one record was part of the data.

    Notes
    -----
    With environments :math:`E_1, \dots, E_m` of which i is the one in question [1]_,

    .. math:: D_1 = \frac1m \sum_k E_k, \quad D_0 = \frac1{m - 1} \sum_{k \neq i} E_k, \quad
              \pi = \mathrm{Unif}\{D_0, D_1\}, \quad f(D) = 1[D = D_1], \quad R_0 = 1/2.

    References
    ----------
    .. [1] Hartmann et al., "Distribution inference risks: Identifying and mitigating sources of
       leakage", SaTML 2023.

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
    r"""Return the game of whether one record was part of the training data.

    Parameters
    ----------
    learner : estimator, or an object with ``fit_zoo(datasets, n_models)``
        Learner of the target models, as in :func:`audit`.
    X : array-like of shape (n_rows, n_features)
        Rows of the table from which training sets are drawn.
    y : array-like of shape (n_rows,)
        Their targets.
    record : int, default=0
        Index of the row in question. It is the adversary's only query, unless its ``queries`` are
        "random" or given rows.
    **options : object
        Further parameters of :class:`InferenceGame`. By default ``access`` is "black_box" and the
        attack is a random forest on responses.

    Returns
    -------
    InferenceGame
        A game with zero-one loss, ready to ``play``.

    See Also
    --------
    environment_membership_inference : The game of whether an environment was part of the data.

    Notes
    -----
    This is the limit where the two distributions of training sets differ in one row. With the
    record z, which the adversary knows, and :math:`S'` of n - 1 rows and :math:`S''` of n rows
    from the others,

    .. math:: D_1: S = S' \cup \{z\}, \quad D_0: S = S'', \quad \pi = \mathrm{Unif}\{D_0, D_1\},
              \quad f(D) = 1[z \in S], \quad R_0 = 1/2,

    and the advantage is that of [1]_ for this record, the true-positive rate minus the
    false-positive rate; theirs is its mean over records. Rows of data reveal nothing but the
    record itself, so that ``play(n_row_sets=0)`` saves time.

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
    >>> report = game.play(n_targets=64, n_repeats=2, n_row_sets=0, random_state=0)
    >>> float(report.table["risk"].iloc[0]) < 0.2
    True
    """
    from ...attacks import DistributionInferenceAttack  # here: other games need no torch

    family = RecordMembershipFamily(X, y, record)
    adversary = check_adversary(options.pop("adversary", None))
    if isinstance(adversary.queries, str) and adversary.queries == "family":
        adversary = replace(adversary, queries=family.record_row)
    # responses to members are the target itself, others lie on both sides: not linearly separable
    forest = RandomForestClassifier(min_samples_leaf=3)
    attack = DistributionInferenceAttack("queries", meta_estimator=forest)
    defaults = {"adversary": adversary, "access": "black_box", "attacks": [attack]}
    return property_inference(learner, family, **defaults | options)
