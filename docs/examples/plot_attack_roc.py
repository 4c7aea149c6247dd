"""
Attacks when false positives must be rare
=========================================

An adversary who accuses only when certain does harm even if it is often undecided. So the curve of
true positives against false positives is drawn on logarithmic axes, where its left end shows.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, SubsampledFamily, audit
from wsl.datasets import load_census_income
from wsl.displays import AttackRocDisplay

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()
family = SubsampledFamily(census.data, census.target, is_woman, properties=(0.2, 0.5))
target, known = family.split(0.5, random_state=0)

# %%
# Two white-box attacks read the weights of a logistic regression, two black-box attacks observe its
# probabilities on 128 queries. More targets than in the other examples make the left end readable.
report = audit(
    LogisticRegression(max_iter=500),
    target,
    attacks=("sorted", "statistics", "queries", "kl"),
    adversary=Adversary(family=known, n_shadows=128, n_queries=128),
    n_targets=256,
    n_samples=500,
    n_repeats=4,
    random_state=0,
)
report.table[report.table["metric"] == "tpr_at_1%_fpr"]

# %%
# An attack with a good area under the curve can still be undecided at the left end.
AttackRocDisplay.from_report(report)
plt.show()
