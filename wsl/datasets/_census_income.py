"""``load_census_income``: the census income sample, as shipped or encoded as numbers."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import Bunch

from ..exceptions import InvalidInputError

if TYPE_CHECKING:
    import pandas as pd

_SENSITIVE = ["sex", "race"]
_STANDARDIZED = ["age", "education", "weeks_worked"]
_LOG_STANDARDIZED = ["capital_gains", "capital_losses", "dividends"]
_ONE_HOT = ["class_of_worker", "occupation", "marital_status", "citizenship"]
_CATEGORICAL = [*_ONE_HOT, *_SENSITIVE, "education", "industry", "income"]
_TARGET_NAMES = ["-50000", "50000+"]
_EDUCATION = [  # from the lowest level to the highest
    "less_than_1st_grade",
    "1st_2nd_3rd_or_4th_grade",
    "5th_or_6th_grade",
    "7th_and_8th_grade",
    "9th_grade",
    "10th_grade",
    "11th_grade",
    "12th_grade_no_diploma",
    "high_school_graduate",
    "some_college_but_no_degree",
    "associates_degree_occup_vocational",
    "associates_degree_academic_program",
    "bachelors_degree",
    "masters_degree",
    "prof_school_degree",
    "doctorate_degree",
]
# categories that share an encoded column; one that is not named here has its own
_MERGED = {
    "occupation": {"private_household_services": "other_service"},
    "marital_status": {
        "married_civilian_spouse_present": "married",
        "married_armed_forces_spouse_present": "married",
        "married_spouse_absent": "apart",
        "separated": "apart",
        "divorced": "apart",
        "widowed": "apart",
    },
    "citizenship": {
        "born_in_united_states": "citizen_by_birth",
        "born_in_outlying_area": "citizen_by_birth",
        "born_abroad_of_american_parents": "citizen_by_birth",
    },
}


def load_census_income(
    *,
    return_X_y: bool = False,
    as_frame: bool = False,
    encoded: bool = True,
    include_sensitive: bool = False,
) -> Bunch | tuple:
    """Load a sample of 20,000 paid workers and whether they earned 50,000 dollars or more.

    The persons took part in the Current Population Survey of the United States Census Bureau in
    1994 or 1995. The table ships with the package, so nothing is downloaded.

    ===================   ===================================
    Classes                                                 2
    Samples                                             20000
    Fraction of class 1                          0.122 (2443)
    Dimensionality        30, or 36 with sensitive attributes
    Features              real, standardized; 0/1 for categories
    ===================   ===================================

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        If True, ``data`` is a DataFrame and ``target`` a Series instead of arrays.
    encoded : bool, default=True
        If True, ``data`` holds numbers, see Notes, ready for an estimator or a network. If False,
        it holds the columns of the survey, categories included; this needs ``as_frame=True``.
    include_sensitive : bool, default=False
        If True, the sensitive attributes sex and race are among the columns of ``data``. By
        default models do not see them; ``sensitive`` and ``frame`` hold them in any case.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : ndarray or DataFrame of shape (20000, 30)
            The features, float64; 36 columns with ``include_sensitive=True``, and 10 or 12 of
            mixed type with ``encoded=False``.
        target : ndarray or Series of shape (20000,)
            int64: 1 where the total income of the past year was 50,000 US dollars or more.
        frame : DataFrame of shape (20000, 15)
            The table as shipped, for any ``as_frame``: the ten features, ``industry`` and
            ``year``, which are never in ``data`` and can serve as environments, ``sex``,
            ``race`` and ``income``. Categories have categorical dtype; the levels of
            ``education`` are ordered.
        sensitive : DataFrame of shape (20000, 2)
            The columns ``sex`` and ``race`` of ``frame``.
        feature_names : list of str
            The names of the columns of ``data``.
        target_names : list of str
            The names of the classes 0 and 1.
        DESCR : str
            Description, source, licence, and how the sample was drawn.

    (data, target) : tuple
        ``data`` and ``target`` alone, if ``return_X_y=True``.

    Raises
    ------
    InvalidInputError
        If an option is not a bool, or if ``encoded=False`` is used without ``as_frame=True``.

    See Also
    --------
    load_census_zoo : A zoo of networks trained on these data.
    wsl.distributions.SubsampledFamily : Training sets with a chosen proportion of a group.

    Notes
    -----
    The sample is a simple random one (seed 0) of the 139,664 persons, among the 299,285 of the
    source, who are 18 or older, worked at least a week in the past year, and hold a paid job
    outside the armed forces. That choice doubles the rate of the positive class, which is 6.2%
    in the source. The survey's weights are dropped, so proportions are those of the sample.

    ``data`` is encoded as follows, the same way at each call.

    - Standardized to mean 0 and variance 1 over the sample: ``age``, ``weeks_worked``, and the
      rank of ``education`` among its 16 levels. ``capital_gains``, ``capital_losses`` and
      ``dividends``, in dollars and mostly 0, are standardized after ``log(1 + x)``.
    - A column of 0 and 1 for each category, ``column_category``: ``class_of_worker`` (6),
      ``occupation`` (12: private household services count as other services),
      ``marital_status`` (3: married with the spouse present, never married, and apart, which is
      spouse absent, separated, divorced or widowed), ``citizenship`` (3: by birth,
      by naturalization, none).
    - With ``include_sensitive=True`` also ``sex_male`` and five columns for ``race``.

    Means and variances are those of all 20,000 rows. A study in which training rows must not
    depend on test rows at all can standardize ``frame`` itself.

    The data are licensed under CC BY 4.0, unlike the code of the package; ``DESCR`` has the
    details and says what was changed.

    References
    ----------
    .. [1] Census-Income (KDD) [Dataset]. (2000). UCI Machine Learning Repository.
       https://doi.org/10.24432/C5N30T. Donated by T. Lane and R. Kohavi; from the Current
       Population Surveys 1994 and 1995, United States Census Bureau.

    Examples
    --------
    >>> from wsl.datasets import load_census_income
    >>> census = load_census_income()
    >>> census.data.shape, census.target.shape
    ((20000, 30), (20000,))
    >>> print(census.sensitive["sex"].value_counts().to_dict())
    {'male': 10619, 'female': 9381}
    >>> environments = census.frame["year"]
    >>> print(census.target[environments == 1995].mean().round(3))
    0.131
    """
    options = {
        "return_X_y": return_X_y,
        "as_frame": as_frame,
        "encoded": encoded,
        "include_sensitive": include_sensitive,
    }
    for name, value in options.items():
        if not isinstance(value, bool):
            raise InvalidInputError(f"`{name}` must be True or False; got {value!r}.")
    if not encoded and not as_frame:
        raise InvalidInputError(
            "`as_frame` must be True with encoded=False, as an array cannot hold columns of "
            "categories; got False."
        )
    frame = _read_frame()
    features = [*_STANDARDIZED, *_LOG_STANDARDIZED, *_ONE_HOT]
    if encoded:
        data = _encode(frame, include_sensitive)
    else:
        data = frame[features + _SENSITIVE * include_sensitive].copy()
    target = frame["income"].cat.codes.astype("int64").rename("target")
    feature_names = list(data.columns)
    X, y = (data, target) if as_frame else (np.ascontiguousarray(data), target.to_numpy())
    if return_X_y:
        return X, y
    return Bunch(
        data=X,
        target=y,
        frame=frame,
        sensitive=frame[_SENSITIVE].copy(),
        feature_names=feature_names,
        target_names=list(_TARGET_NAMES),
        DESCR=_resource("census_income.txt").read_text(encoding="utf-8"),
    )


def _resource(name: str):
    return files(__package__) / "data" / name


def _read_frame() -> pd.DataFrame:
    """Read the shipped table; every order of categories is fixed here."""
    import pandas as pd

    with _resource("census_income.csv.gz").open("rb") as stream:
        dtypes = dict.fromkeys(_CATEGORICAL, "category")
        frame = pd.read_csv(stream, compression="gzip", dtype=dtypes)
    frame["education"] = frame["education"].cat.set_categories(_EDUCATION, ordered=True)
    frame["income"] = frame["income"].cat.set_categories(_TARGET_NAMES, ordered=True)
    return frame


def _encode(frame: pd.DataFrame, include_sensitive: bool) -> pd.DataFrame:
    """Return the float64 columns that the Notes of ``load_census_income`` describe."""
    import pandas as pd

    numeric = frame[[*_STANDARDIZED, *_LOG_STANDARDIZED]].copy()
    numeric["education"] = frame["education"].cat.codes
    numeric = numeric.astype("float64")
    numeric[_LOG_STANDARDIZED] = np.log1p(numeric[_LOG_STANDARDIZED])
    numeric = (numeric - numeric.mean()) / numeric.std(ddof=0)
    categories = frame[_ONE_HOT].copy()
    for name, merged in _MERGED.items():
        categories[name] = [merged.get(label, label) for label in frame[name]]
    blocks = [numeric, pd.get_dummies(categories, dtype="float64")]
    if include_sensitive:
        dummies = pd.get_dummies(frame[_SENSITIVE], dtype="float64")
        blocks.append(dummies.drop(columns="sex_female"))
    return pd.concat(blocks, axis=1)
