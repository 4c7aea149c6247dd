"""
What does my trained model reveal?
==================================

You have one model, trained already, and want to know what its responses reveal about the data that
it was trained on. An adversary who can query it trains shadow models on data with known properties,
learns what distinguishes them, and applies what it has learned to your model.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from wsl import Adversary, DistributionInferenceAttack, SubsampledFamily, train_shadows
from wsl.datasets import load_census_income
from wsl.distributions import Interval

census = load_census_income()
is_woman = (census.sensitive["sex"] == "female").to_numpy()

# %%
# Your model: trained on 1,000 people, 35% of whom are women. Nobody outside knows that.
family = SubsampledFamily(census.data, census.target, is_woman, properties=Interval(0.1, 0.9))
mine, known = family.split(0.5, random_state=0)
my_model = LogisticRegression(max_iter=500).fit(*mine.sample(0.35, 1000, random_state=1))

# %%
# The adversary: other rows, any fraction between 10% and 90% equally likely, and 128 queries.
shadows = train_shadows(
    LogisticRegression(max_iter=500),
    known,
    adversary=Adversary(n_shadows=256, n_samples=1000, n_queries=128),
    random_state=0,
)
population = shadows.population

# %%
# It asks whether most of the people were women. The probability that it gives for your model is
# calibrated: of models with probability 0.8, about 80% were trained on mostly women.
mostly_women = population.properties > 0.5
attack = DistributionInferenceAttack("queries", query_output="proba", random_state=0)
attack.fit(population.responses.reshape(len(shadows), -1), mostly_women)
responses = my_model.predict_proba(shadows.queries.rows)
probability = attack.predict_proba(responses.reshape(1, -1))[0, 1]
print(f"probability of mostly women: {probability:.2f}")

# %%
# One answer says little without knowing how often such answers are right. So further models are
# trained on fractions that we know, and the attack is applied to each.
fractions = np.linspace(0.1, 0.9, 41)
probabilities = [
    attack.predict_proba(
        LogisticRegression(max_iter=500)
        .fit(*mine.sample(fraction, 1000, random_state=i))
        .predict_proba(shadows.queries.rows)
        .reshape(1, -1)
    )[0, 1]
    for i, fraction in enumerate(fractions)
]
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ax.plot(fractions, probabilities, "o", label="models with known data")
ax.plot(0.35, probability, "*", markersize=14, label="my model")
ax.axvline(0.5, color="0.6", linestyle="--", linewidth=1)
ax.set(xlabel="fraction of women in the training set", ylabel="inferred: mostly women")
ax.legend(frameon=False)
plt.show()
