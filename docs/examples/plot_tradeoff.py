"""
Search for the trade-off of utility and leakage
===============================================

Does stronger regularisation, which costs accuracy, at least reduce what a model reveals? A grid
search with :func:`wsl.leakage_scorer` measures both for each setting, and refits the setting at the
knee of the Pareto front, beyond which less leakage costs much utility.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from wsl import Adversary, SubsampledFamily, leakage_scorer
from wsl.datasets import load_census_income
from wsl.displays import PrivacyUtilityDisplay
from wsl.risk import knee

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()
family = SubsampledFamily(census.data, census.target, is_woman, properties=(0.2, 0.5))

# %%
# Utility is the balanced accuracy in cross-validation; leakage is the advantage of an attack on
# models of the same setting, 0 for guessing and 1 for certainty.
scorer = leakage_scorer(
    family,
    utility="balanced_accuracy",
    adversary=Adversary(n_shadows=64, n_queries=128),
    n_targets=64,
    n_samples=500,
    random_state=0,
)
search = GridSearchCV(
    LogisticRegression(max_iter=500),
    {"C": [1e-3, 1e-2, 1e-1, 1.0]},
    scoring=scorer,
    refit=knee,
    cv=3,
)
search.fit(census.data[:3000], census.target[:3000])
search.best_params_

# %%
# Each point is a setting; up is more useful, left reveals less. Here there is nothing to trade: a
# logistic regression that is shrunken to little more than its intercept reveals how many of its
# training people had a high income, and with it the fraction of women.
PrivacyUtilityDisplay.from_cv_results(search.cv_results_)
plt.show()
