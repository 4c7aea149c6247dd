import numpy as np
import pytest

from wsl import Architecture
from wsl.risk.shadows._utility import score_model, score_zoo


@pytest.mark.parametrize("n_outputs", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(9,), (9, 9, 9, 9), (9, 4, 9, 5)], ids=str)
@pytest.mark.parametrize("classes", [None, np.array(["a", "b", "c"])], ids=["numbers", "classes"])
def test_a_zoo_is_scored_as_its_models_are(n_outputs, sizes, classes):
    rng = np.random.default_rng(0)
    architecture = Architecture.mlp(2, [3], n_outputs)
    rows = rng.normal(size=(4, architecture.n_weights)).astype(np.float32)
    tests = []
    for size in sizes:
        y = rng.normal(size=(size, n_outputs)).squeeze()
        if classes is not None:
            y = rng.choice(classes[: max(2, n_outputs)], size)
        tests.append((rng.normal(size=(size, 2)).astype(np.float32), y))
    tests[-1][1][:] = tests[-1][1][0]  # targets that are all alike have no variance to explain

    def predictor(row):
        def predict(X):
            outputs = architecture.forward(row[None], X)[0]
            if classes is None:
                return outputs.squeeze()
            return classes[outputs.argmax(1) if n_outputs > 1 else (outputs[:, 0] > 0).astype(int)]

        return predict

    found = score_zoo(architecture, rows, tests, classes)
    for i, row in enumerate(rows):
        expected = score_model(predictor(row), *tests[i % len(tests)], classes is not None)
        assert set(found) == set(expected)
        for metric, value in expected.items():
            assert found[metric][i] == pytest.approx(value, rel=1e-4), metric
