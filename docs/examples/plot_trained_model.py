"""
What does my trained model reveal?
==================================

You have one model, trained already, and want to know what its responses reveal about the data that
it was trained on. An adversary who can query it trains shadow models on data with known properties,
learns what distinguishes them, and applies what it has learned to your model.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, SubsampledFamily, audit_model, train_shadows
from wsl.datasets import load_census_income
from wsl.displays import ReliabilityDisplay
from wsl.distributions import Interval

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()

# %%
# Your model: trained on 1,000 people, 35% of whom are women. Nobody outside knows that.
family = SubsampledFamily(census.data, census.target, is_woman, properties=Interval(0.1, 0.9))
mine, known = family.split(0.5, random_state=0)
learner = LogisticRegression(max_iter=500)
my_model = learner.fit(*mine.sample(0.35, 1000, random_state=1))

# %%
# The adversary: other rows, any fraction between 10% and 90% equally likely, and 128 queries. Its
# shadow models, trained once, serve several audits.
shadows = train_shadows(
    learner,
    known,
    adversary=Adversary(n_shadows=256, n_queries=128),
    n_samples=1000,
    random_state=0,
)
report = audit_model(my_model, known, shadows=shadows, attacks="queries", random_state=0)
print(*report.explain(), sep="\n")

# %%
# One answer says little without knowing how often such answers are right. So the report has what
# the same attack infers of shadow models that it has not seen: for each level, how often credible
# intervals hold the true fraction. Beside it stand the posterior of your model, and those of others
# whose fraction is known.
fractions = [0.15, 0.35, 0.55, 0.75]
models = {"my model": my_model} | {
    f"{fraction:.0%} women": LogisticRegression(max_iter=500).fit(
        *mine.sample(fraction, 1000, random_state=2)
    )
    for fraction in fractions
}
several = audit_model(models, known, shadows=shadows, attacks="queries", random_state=0)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
several.plot(ax=left)
left.set_xlabel("fraction of women in the training set, with its 95% credible interval")
ReliabilityDisplay.from_report(several, ax=right)
plt.show()
