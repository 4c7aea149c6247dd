"""
Learners that reveal less
=========================

A learner that relies only on what holds in every environment has less to reveal about which
environments were in its training data. Here the environments are women and men in a census sample,
the adversary asks for their fractions, and five learners are audited.
"""

import matplotlib.pyplot as plt
import pandas as pd

from wsl import (
    Adversary,
    CausalMitigatedClassifier,
    RebalancedClassifier,
    SubsampledFamily,
    audit,
)
from wsl.datasets import load_census_income
from wsl.displays import LeakageDisplay

census = load_census_income()
held_out, used = slice(0, 4000), slice(4000, None)
is_woman = (census.sensitive["sex"] == "female").to_numpy()
family = SubsampledFamily(
    census.data[used],
    census.target[used],
    is_woman[used],
    properties=(0.3, 0.7),
    group_as_environment=True,
)
target, known = family.split(0.5, random_state=0)

# %%
# Penalties pull a network towards predictions that are equally good in each environment. A
# rebalanced learner sees as many women as men, whatever the data have, and takes any scikit-learn
# estimator; here it takes the plain network. All models of an audit are trained together, so this
# takes seconds.
learners = {
    str(penalty or "plain"): CausalMitigatedClassifier(
        hidden_layer_sizes=(8,), penalty=penalty, epochs=10, batch_size=128
    )
    for penalty in (None, "irm", "vrex", "coral")
}
learners["rebalanced"] = RebalancedClassifier(learners["plain"])
reports = {
    name: audit(
        learner,
        target,
        adversary=Adversary(family=known, n_shadows=96),
        attacks="queries",
        test_set=(census.data[held_out], census.target[held_out]),
        n_targets=64,
        n_samples=1000,
        n_repeats=4,
        random_state=0,
    )
    for name, learner in learners.items()
}
pd.DataFrame(
    {name: report.utility.set_index("metric")["value"] for name, report in reports.items()}
).round(3)

# %%
# Plain training reveals the fraction nearly always. The penalties hide most of it; what they cost
# stands in the table above.
LeakageDisplay.from_reports(reports)
plt.show()
