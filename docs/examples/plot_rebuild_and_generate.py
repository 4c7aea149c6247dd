"""
Rebuild and generate networks
=============================

Can a network be compressed into a few numbers and rebuilt, so that the rebuilt network still
classifies? And can new networks be drawn that were never trained? Both depend on what the
autoencoder compares: weights alone, or what the networks do with inputs.
"""

import matplotlib.pyplot as plt
import pandas as pd

from wsl import ModelZoo, WeightSpaceAutoencoder, metrics
from wsl.datasets import load_digits_zoo
from wsl.displays import ReconstructionDisplay

digits = load_digits_zoo(n_models=64, epochs=15)
train, test = digits.zoo[digits.train], digits.zoo[digits.test]
architecture = digits.zoo.architecture

# %%
# ``beta`` weighs the distance of weights against the distance of outputs: 1 is weights alone.
autoencoders = {
    name: WeightSpaceAutoencoder(
        architecture,
        queries=digits.X_train,
        beta=beta,
        d_model=32,
        n_layers=1,
        epochs=10,
        random_state=0,
    ).fit(train.weights)
    for name, beta in {"weights alone": 1.0, "weights and behavior": 0.1}.items()
}

# %%
# Rebuilt models are compared with their originals on digits that neither has seen. Agreement is the
# fraction of digits on which both predict the same class. Different good models agree with each
# other, too, so the column "shuffled" compares each with the rebuild of another model.
rebuilt = {
    name: ModelZoo(autoencoder.reconstruct(test.weights), architecture)
    for name, autoencoder in autoencoders.items()
}
outputs = test.forward(digits.X_test)
pd.DataFrame(
    {
        name: {
            "accuracy": zoo.accuracy(digits.X_test, digits.y_test).mean(),
            "agreement": metrics.agreement(outputs, zoo.forward(digits.X_test)),
            "shuffled": metrics.shuffled_agreement(outputs, zoo.forward(digits.X_test)),
        }
        for name, zoo in rebuilt.items()
    }
).T.round(3)

# %%
# New models are drawn around the embeddings of the better half of the zoo. From 60 candidates the
# 20 are kept that classify the training digits best.
best = train.metadata["train_accuracy"].nlargest(len(train) // 2).index
generated = {
    name: ModelZoo(
        autoencoder.sample(
            20,
            anchors=train.weights[best],
            n_candidates=60,
            queries=digits.X_train,
            labels=digits.y_train,
            random_state=0,
        ),
        architecture,
    )
    for name, autoencoder in autoencoders.items()
}

# %%
# On the left each point is a model of the test part: on the diagonal, rebuilding costs nothing. On
# the right, the generated models beside the zoo.
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
ReconstructionDisplay.from_zoos(test, rebuilt, digits.X_test, digits.y_test, ax=left)
groups = {"zoo": digits.zoo, **generated}
right.boxplot(
    [zoo.accuracy(digits.X_test, digits.y_test) for zoo in groups.values()],
    tick_labels=["the zoo", *(f"generated,\n{name}" for name in generated)],
)
right.set_ylabel("test accuracy")
plt.show()
