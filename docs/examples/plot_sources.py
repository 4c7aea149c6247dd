"""
Where leakage comes from
========================

A model can reveal its training distribution for three reasons: it has memorised how the outcome
depends on the inputs, its inductive bias is wrong, or its training data are finite. Each source is
removed by an intervention; what an attack then loses is what the source contributed.
"""

import matplotlib.pyplot as plt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, SubsampledFamily, leakage_sources
from wsl.datasets import load_census_income
from wsl.displays import SourcesDisplay

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()
family = SubsampledFamily(census.data, census.target, is_woman, properties=(0.2, 0.8))

# %%
# The reference learner stands for one without a wrong bias: flexible enough to learn any relation.
report = leakage_sources(
    LogisticRegression(max_iter=200),
    family,
    reference_learner=HistGradientBoostingClassifier(max_iter=10, early_stopping=False),
    adversary=Adversary(n_shadows=32, n_queries=64),
    n_targets=32,
    n_samples=300,
    sample_size_multipliers=(1, 2),
    random_state=0,
)
print(*report.explain(), sep="\n")

# %%
SourcesDisplay.from_reports({"logistic regression": report})
plt.show()
