import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from skorch import NeuralNetClassifier
from torch import nn

from wsl import Architecture
from wsl.risk.shadows._observation import respond
from wsl.risk.shadows._weight_reading import read_weights

X, IRIS = load_iris(return_X_y=True)
BINARY = (IRIS == 2).astype(int)
NUMBERS = X @ [1.0, -2.0, 0.5, 3.0] + IRIS


def decision(model, X):
    """What a model computes before its link function."""
    if hasattr(model, "decision_function"):
        return model.decision_function(X)
    if hasattr(model, "predict_log_proba"):
        p = model.predict_proba(X)
        return np.log(p[:, 1] / p[:, 0])
    return model.predict(X)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (LinearRegression(), NUMBERS),
        (Lasso(0.01, fit_intercept=False), NUMBERS),
        (LogisticRegression(max_iter=1000), BINARY),
        (LogisticRegression(max_iter=1000), IRIS),
        (RidgeClassifier(), IRIS),
        (LinearSVC(), BINARY),
        (MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0), NUMBERS),
        (make_pipeline(StandardScaler(), LogisticRegression()), IRIS),
        (make_pipeline(RobustScaler(), MinMaxScaler(), LinearRegression()), NUMBERS),
        (
            make_pipeline(StandardScaler(with_mean=False), "passthrough", LinearRegression()),
            NUMBERS,
        ),
        (
            make_pipeline(StandardScaler(), MLPClassifier((5, 4), max_iter=20, random_state=0)),
            BINARY,
        ),
    ],
    ids=lambda value: repr(value) if hasattr(value, "fit") else "",
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_weights_compute_the_models_function(model, y):
    model.fit(X, y)
    row, architecture = read_weights(model, 4)
    outputs = architecture.forward(row[None], X)[0]
    expected = np.reshape(decision(model, X), outputs.shape)
    np.testing.assert_allclose(outputs, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3),
        make_pipeline(PCA(2), LogisticRegression()),
        make_pipeline(MinMaxScaler(clip=True), LogisticRegression()),
        make_pipeline(StandardScaler(), RandomForestClassifier(3)),
    ],
    ids=repr,
)
def test_other_models_are_black_boxes(model):
    assert read_weights(model.fit(X, IRIS), 4) is None


class Net(nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.hidden, self.last = nn.Linear(2, 4), nn.Linear(4, n_outputs)

    def forward(self, inputs):
        return self.last(torch.relu(self.hidden(inputs)))


CLASSIFIER = NeuralNetClassifier(
    Net, criterion=nn.CrossEntropyLoss, max_epochs=2, train_split=None, verbose=0
)


@pytest.mark.parametrize("scaled", [False, True], ids=["bare", "scaled"])
def test_weights_of_a_skorch_model_are_those_of_its_module(scaled):
    rows = X[:, :2].astype(np.float32)
    model = make_pipeline(StandardScaler(), CLASSIFIER) if scaled else CLASSIFIER
    model.fit(rows, IRIS)
    row, architecture = read_weights(model, 2)
    logits = architecture.forward(row[None], rows)[0]
    net = model[-1] if scaled else model
    inputs = torch.as_tensor(model[0].transform(rows) if scaled else rows)
    np.testing.assert_allclose(logits, net.module_(inputs).detach().numpy(), atol=1e-4)
    assert respond(model, rows).output == "proba"
    assert architecture == Architecture(Net(), input_shape=(2,))
