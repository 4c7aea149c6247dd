"""
How many rows of data is a model worth?
=======================================

A model reveals something about its training data. Is that much? The yardstick is data itself: an
adversary that observes a few rows of the training distribution instead of the model. An
:class:`wsl.InferenceGame` plays both, for any prior and any question.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, InferenceGame, SubsampledFamily
from wsl.datasets import load_census_income
from wsl.displays import RiskCurveDisplay
from wsl.distributions import Interval

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()

# %%
# The prior: any fraction of women between 20% and 80% is equally likely. The question: is it more
# than half? The adversary observes probabilities.
game = InferenceGame(
    learner=LogisticRegression(max_iter=500),
    prior=SubsampledFamily(census.data, census.target, is_woman, properties=Interval(0.2, 0.8)),
    property_of=lambda fraction: fraction > 0.5,
    access="black_box",
    n_samples=500,
    adversary=Adversary(n_shadows=128, n_queries=128),
)
report = game.play(n_targets=128, n_repeats=4, random_state=0)
print(*report.explain(), sep="\n")

# %%
# Where the falling curve crosses the line of the attack, that many rows of data reveal as much as
# the model does.
RiskCurveDisplay.from_report(report)
plt.show()
