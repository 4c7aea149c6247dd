"""
Audit a learner on your own table
=================================

Does a model reveal how many women were in its training data, though it never sees who is one? The
table here is a census sample; any table with an outcome and a column that says who belongs to a
group takes its place.
"""

import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl import Adversary, SubsampledFamily, audit, compare_audits
from wsl.datasets import load_census_income
from wsl.displays import LeakageDisplay

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()

# %%
# A family says what there is to infer: training sets with 20% women, or with 50%. It is split by
# rows, so that the adversary has no row of the audited models' data.
family = SubsampledFamily(census.data, census.target, is_woman, properties=(0.2, 0.5))
target, known = family.split(0.5, random_state=0)

# %%
# An audit trains target models and the adversary's shadow models on fresh samples, and counts how
# often the adversary infers the right fraction from a target's responses.
learners = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "random forest": RandomForestClassifier(20, min_samples_leaf=5),
}
reports = {
    name: audit(
        learner,
        target,
        attacks=("queries", "kl"),
        adversary=Adversary(family=known, n_shadows=64, n_queries=128),
        n_targets=64,
        n_samples=500,
        n_repeats=4,
        random_state=0,
    )
    for name, learner in learners.items()
}
compare_audits(reports)

# %%
# The report says in words what was found.
print(*reports["logistic regression"].explain(), sep="\n")

# %%
# Intervals that reach the dashed line do not distinguish the attack from guessing.
LeakageDisplay.from_reports(reports)
plt.show()
