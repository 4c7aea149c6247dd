"""
Predict accuracy from weights
=============================

How good is a model, judged by its weights alone, without a labelled sample? Features of a zoo go
into any scikit-learn regressor; three kinds of features are compared on models that the regressor
has not seen.
"""

import matplotlib.pyplot as plt
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wsl import BehaviorFeatures, SortedWeights, WeightStatistics
from wsl.datasets import load_digits_zoo

# %%
# Checkpoints after one, three and fifteen epochs make a zoo of bad, fair and good models. All
# checkpoints of a model are kept in one fold, as they resemble each other.
digits = load_digits_zoo(n_models=64, epochs=15, checkpoints=[1, 3, 15])
zoo = digits.zoo
accuracy = zoo.metadata["test_accuracy"]

# %%
# ``BehaviorFeatures`` runs the models on unlabelled inputs; the other two look at weights only.
features = {
    "weights, units sorted": SortedWeights(zoo.architecture),
    "statistics of each layer": WeightStatistics(zoo.architecture),
    "responses to unlabelled digits": BehaviorFeatures(zoo.architecture, digits.X_train[:500]),
}
fig, axes = plt.subplots(
    1, len(features), figsize=(12, 4), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, transformer) in zip(axes, features.items(), strict=True):
    model = make_pipeline(transformer, StandardScaler(), RidgeCV())
    groups = zoo.metadata["model"]
    predicted = cross_val_predict(model, zoo.weights, accuracy, groups=groups, cv=GroupKFold(4))
    ax.plot(accuracy, predicted, ".", alpha=0.6)
    ax.axline((0.5, 0.5), slope=1, color="0.6", linewidth=1, linestyle="--")
    ax.set(title=f"{name}\nR2 = {r2_score(accuracy, predicted):.3f}", xlabel="test accuracy")
axes[0].set_ylabel("predicted")
plt.show()
