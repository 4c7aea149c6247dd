"""Inputs are flat rows or have the shape that the module takes; any other shape is refused."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from torch import nn

from wsl import (
    Architecture,
    DistributionInferenceAttack,
    QueryResponses,
    WeightSpaceAutoencoder,
    train_zoo,
)
from wsl.exceptions import InvalidInputError

RNG = np.random.default_rng(0)
CNN = Architecture.cnn((3, 6, 6), [2], [4], 2)
ROWS = RNG.normal(size=(12, CNN.n_weights)).astype(np.float32)
IMAGES = RNG.normal(size=(8, 3, 6, 6)).astype(np.float32)
LABELS = np.arange(8) % 2
WRONG = {
    "channels last": IMAGES.transpose(0, 2, 3, 1),
    "rows of pixels": IMAGES.reshape(8, 3, 36),
    "one image": IMAGES[0],
    "too few columns": IMAGES.reshape(8, -1)[:, :-1],
}


def train(**options):
    return train_zoo(CNN, n_models=2, epochs=1, random_state=0, progress=False, **options).weights


def attack(queries):
    made = DistributionInferenceAttack("queries", architecture=CNN, queries=queries)
    return made.fit(ROWS, np.arange(12) % 2).predict_proba(ROWS)


def embed(queries):
    return WeightSpaceAutoencoder(CNN, queries=queries, epochs=1).fit_transform(ROWS)


USES = {
    "forward": lambda X: CNN.forward(ROWS, X),
    "forward of tensors": lambda X: CNN.forward(torch.tensor(ROWS), torch.tensor(X)).numpy(),
    "train_zoo": lambda X: train(datasets=(X, LABELS)),
    "test_set": lambda X: train(datasets=(IMAGES, LABELS), test_set=(X, LABELS)),
    "QueryResponses": lambda X: QueryResponses(CNN, queries=X).fit_transform(ROWS),
    "attack": attack,
    "autoencoder": embed,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("use", USES)
def test_inputs_of_another_shape_are_refused(use, wrong):
    with pytest.raises(InvalidInputError, match=r"must have|must hold") as refused:
        USES[use](np.ascontiguousarray(WRONG[wrong]))
    assert "108" in str(refused.value)


@pytest.mark.parametrize("use", [use for use in USES if use != "autoencoder"])  # whose fit is slow
def test_rows_and_images_give_the_same(use):
    np.testing.assert_array_equal(USES[use](IMAGES.reshape(8, -1)), USES[use](IMAGES))


def test_messages_say_how_to_reorder_inputs():
    with pytest.raises(InvalidInputError, match=r"\(n_samples, 3, 6, 6\); got .*numpy.moveaxis"):
        CNN.forward(ROWS, WRONG["channels last"])
    with pytest.raises(InvalidInputError, match=r"pass inputs.reshape\(-1, 108\)"):
        CNN.forward(ROWS, WRONG["rows of pixels"])


@pytest.mark.parametrize("shape", [(5, 4, 4), (5, 1, 4, 4), (5, 4, 4, 1), (5, 16)])
def test_images_of_one_channel_need_no_axis_for_it(shape):
    grey = Architecture.cnn((1, 4, 4), [2], [], 3)
    rows, images = RNG.normal(size=(2, grey.n_weights)), RNG.normal(size=(5, 16))
    expected = grey.forward(rows, images)
    np.testing.assert_array_equal(grey.forward(rows, images.reshape(shape)), expected)


def test_a_module_that_flattens_its_inputs_takes_any_shape_of_their_size():
    flat = Architecture(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)))
    rows, inputs = RNG.normal(size=(2, flat.n_weights)), RNG.normal(size=(5, 12))
    assert flat.input_shape == (12,)
    expected = flat.forward(rows, inputs)
    np.testing.assert_array_equal(flat.forward(rows, inputs.reshape(5, 2, 3, 2)), expected)
    with pytest.raises(InvalidInputError, match=r"must have shape \(n_samples, 12\)"):
        flat.forward(rows, inputs.reshape(5, 6, 2)[:, :5])


class Sum(nn.Module):
    """A custom module, which is not traced: it branches on values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return self.layer(x.sum(1)) if x.ndim == 3 else self.layer(x)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)), (3, 5, 7)),
        (nn.Conv1d(2, 4, 3), (2, 9)),
        (nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.LazyLinear(1)), (2, 4, 3)),
    ],
    ids=["images", "sequences", "normalized"],
)
def test_shaped_inputs_tell_the_input_shape(module, shape):
    inputs = torch.randn(4, *shape)
    with torch.no_grad():
        expected = module.eval()(inputs).flatten(1).numpy()
    architecture = Architecture(module)
    row = architecture.flatten(module)
    assert architecture.input_shape is None
    np.testing.assert_allclose(architecture.forward(row, inputs.numpy())[0], expected, atol=1e-5)
    responses = QueryResponses(architecture, queries=inputs.numpy()).fit_transform(row)
    np.testing.assert_allclose(responses[0], expected.ravel(), atol=1e-5)
    zoo = train_zoo(
        architecture, (inputs.numpy(), expected), n_models=1, epochs=1, loss="mse", progress=False
    )
    assert zoo.architecture.input_shape == shape
    with pytest.raises(InvalidInputError, match="`inputs` "):
        architecture.forward(row, inputs.flatten(1).numpy())


def test_the_first_layer_of_a_custom_module_tells_the_input_shape():
    architecture = Architecture(Sum())
    assert architecture.input_shape == (3,)
    row = RNG.normal(size=(1, architecture.n_weights))
    with pytest.raises(InvalidInputError, match=r"must have shape \(n_samples, 3\)"):
        architecture.forward(row, np.ones((5, 2, 3)))
    assert Architecture(Sum(), input_shape=(2, 3)).forward(row, np.ones((5, 2, 3))).shape[1] == 5


FRAME = pd.DataFrame({"a": [1.0, 0.0, 1.0], "b": [2.5, -1.0, 4.0], "c": [7.0, 8.0, -9.0]})
KINDS = {
    "frame": FRAME,
    "nullable floats": FRAME.astype("Float64"),
    "nullable integers": FRAME.assign(c=FRAME.c.astype("Int64")),
    "nullable booleans": FRAME.assign(a=FRAME.a.astype("boolean")),
    "booleans and floats": FRAME.assign(a=FRAME.a.astype(bool)),
    "objects": FRAME.astype(object),
    "booleans of numpy": np.array([[np.bool_(a), b, c] for a, b, c in FRAME.to_numpy()], object),
    "long doubles": FRAME.to_numpy(np.longdouble),
    "half precision": FRAME.to_numpy(np.float16),
    "big-endian": FRAME.to_numpy(">f8"),
    "columns first": np.asfortranarray(FRAME),
    "not contiguous": np.repeat(FRAME.to_numpy(), 2, axis=1)[:, ::2],
    "unmasked": np.ma.array(FRAME.to_numpy()),
    "list": FRAME.to_numpy().tolist(),
    "bfloat16": torch.tensor(FRAME.to_numpy()).bfloat16(),
    "tensor with gradients": torch.tensor(FRAME.to_numpy(), requires_grad=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_and_arrays_of_any_kind_are_read_as_their_numbers(kind):
    linear = Architecture.mlp(3, [], 1)
    rows = np.float32([[1, 10, 100, 5]])
    expected = FRAME.to_numpy() @ rows[0, :3] + 5
    np.testing.assert_array_equal(linear.forward(rows, KINDS[kind])[0, :, 0], expected)
    tensor = linear.forward(torch.tensor(rows), KINDS[kind])
    np.testing.assert_array_equal(tensor[0, :, 0].detach().numpy(), expected)
    responses = QueryResponses(linear, queries=KINDS[kind]).fit_transform(rows)
    np.testing.assert_array_equal(responses[0], expected)


NOT_NUMBERS = {
    "text": (np.full((2, 3), "1.5"), "must hold real numbers"),
    "complex": (np.ones((2, 3), complex), "must hold real numbers"),
    "dates": (np.zeros((2, 3), "M8[s]"), "must hold real numbers"),
    "mixed": (np.array([[1, 2, "x"]], object), "must hold real numbers; got 'x'"),
    "None": (np.array([[1, 2, None]], object), "must be finite; got NaN"),
    "NA": (FRAME.assign(a=pd.Series([1, 2, pd.NA], dtype="Int64")), "must be finite; got NaN"),
    "infinity": ([[1.0, 2.0, np.inf]], "must be finite; got infinity"),
    "large": ([[1.0, 2.0, 1e40]], "must hold numbers that float32"),
    "masked": (np.ma.masked_less(np.arange(6.0).reshape(2, 3), 1), "must have no missing values"),
    "sparse": (scipy.sparse.eye(3, format="csr"), "must be dense; got a .*pass inputs.toarray"),
    "ragged": ([[1.0, 2.0, 3.0], [1.0]], "must be an array"),
}


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_inputs_that_are_not_finite_real_numbers_are_refused(kind):
    wrong, message = NOT_NUMBERS[kind]
    linear = Architecture.mlp(3, [], 1)
    with pytest.raises(InvalidInputError, match=f"`inputs` {message}"):
        linear.forward(np.ones((1, 4)), wrong)
