import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wsl import Architecture
from wsl.architectures.tracing._trace import Add, GlobalMean, trace
from wsl.exceptions import UnsupportedModuleError


class Calling(nn.Module):
    """Applies functions to images or sequences, between layers whose names it keeps."""

    def __init__(self, *functions, conv=nn.Conv2d):
        super().__init__()
        self.conv = conv(1, 2, 3)
        self.functions = functions

    def forward(self, x):
        x = self.conv(x)
        for function in self.functions:
            x = function(x)
        return x


FUNCTIONS = {
    "relu": (torch.relu, nn.ReLU()),
    "relu of functional, in place": (lambda x: F.relu(x, inplace=True), nn.ReLU()),
    "relu as a method": (lambda x: x.relu(), nn.ReLU()),
    "tanh": (torch.tanh, nn.Tanh()),
    "sigmoid as a method": (lambda x: x.sigmoid(), nn.Sigmoid()),
    "leaky relu": (lambda x: F.leaky_relu(x, 0.3), nn.LeakyReLU(0.3)),
    "gelu": (lambda x: F.gelu(x, approximate="tanh"), nn.GELU("tanh")),
    "elu": (lambda x: F.elu(x, alpha=0.4), nn.ELU(0.4)),
    "softplus": (lambda x: F.softplus(x, 2.0), nn.Softplus(2.0)),
    "softmax": (lambda x: F.softmax(x, dim=1), nn.Softmax(1)),
    "log-softmax": (lambda x: torch.log_softmax(x, -1), nn.LogSoftmax(-1)),
    "dropout": (lambda x: F.dropout(x, 0.2, training=False), nn.Dropout(0.2)),
    "max pooling": (lambda x: F.max_pool2d(x, 2, stride=1), nn.MaxPool2d(2, 1)),
    "average pooling": (lambda x: F.avg_pool2d(x, (2, 1), ceil_mode=True),
                        nn.AvgPool2d((2, 1), ceil_mode=True)),
    "adaptive pooling": (lambda x: F.adaptive_avg_pool2d(x, (1, 2)), nn.AdaptiveAvgPool2d((1, 2))),
    "flatten": (lambda x: torch.flatten(x, 1), nn.Flatten()),
    "flatten as a method": (lambda x: x.flatten(start_dim=1), nn.Flatten()),
    "view": (lambda x: x.view(x.size(0), -1), nn.Flatten()),
    "reshape by the shape": (lambda x: x.reshape(x.shape[0], 32), nn.Flatten()),
    "reshape of unknown number": (lambda x: x.reshape(-1, 32), nn.Flatten()),
    "mean over places": (lambda x: x.mean(dim=(2, 3)), GlobalMean(2)),
    "mean over the last axes": (lambda x: torch.mean(x, [-1, -2]), GlobalMean(2)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_stands_as_the_layer_that_does_the_same(name):
    function, layer = FUNCTIONS[name]
    module = Calling(function).eval()
    convolution, step = trace(module)
    assert (convolution.name, convolution.sources) == ("conv", (0,))
    assert convolution.layer is module.conv
    assert (type(step.layer), repr(step.layer)) == (type(layer), repr(layer))
    assert step.sources == (1,)
    X = torch.randn(3, 1, 6, 6)
    torch.testing.assert_close(step.layer.eval()(module.conv(X)), module(X))


def test_layers_keep_their_dotted_names_and_their_order_of_use():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.late, self.early = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return x + self.late(torch.tanh(self.early(x)))

    module = nn.Sequential(nn.Linear(3, 3), Inner(), nn.Sequential(nn.ReLU(), nn.Linear(3, 1)))
    steps = trace(module)
    names = [step.name for step in steps]
    assert names == ["0", "1.early", "", "1.late", "", "2.0", "2.1"]
    assert [step.sources for step in steps] == [(0,), (1,), (2,), (3,), (1, 4), (5,), (6,)]
    assert isinstance(steps[4].layer, Add)
    assert [s.name for s in trace(nn.Linear(2, 2))] == [""]


def test_a_layer_applied_twice_is_two_steps_of_one_name():
    shared = nn.Linear(3, 3)
    steps = trace(nn.Sequential(shared, nn.ReLU(), shared))
    assert [step.name for step in steps] == ["0", "1", "0"]
    assert steps[0].layer is steps[2].layer


class Refused(nn.Module):
    def __init__(self, forward):
        super().__init__()
        self.layer, self.scale = nn.Linear(2, 2), nn.Parameter(torch.ones(2))
        self.run = forward

    def forward(self, x):
        return self.run(self, x)


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda m, x: m.layer(x) if x.sum() > 0 else x, "cannot be traced"),
        (lambda m, x: m.layer(x) * m.scale, "must only call"),
        (lambda m, x: m.layer(x) + 1.0, "must only call"),
        (lambda m, x: torch.cat([m.layer(x), x], 1), "must only call"),
        (lambda m, x: m.layer(x).mean(1), "must only call"),
        (lambda m, x: x, "must return"),
    ],
)
def test_modules_that_are_not_traced_are_run_as_a_whole(forward, message):
    module = Refused(forward)
    with pytest.raises(UnsupportedModuleError, match=f"Refused .*{message}"):
        trace(module)
    architecture, X = Architecture(module, input_shape=(2,)), torch.randn(5, 2)
    row = architecture.flatten(module)
    assert row.shape == (1, 8)
    with torch.no_grad():
        expected = module(X).reshape(5, -1)
    torch.testing.assert_close(torch.tensor(architecture.forward(row, X)[0]), expected)


@pytest.mark.parametrize(
    ("forward", "traced", "made"),
    [
        (lambda m, x: m.layer(x).flatten(), "must only call", r"one output per input.*\(6,\)"),
        (lambda m, x: m.layer(x).view(-1), "must only call", r"one output per input.*\(6,\)"),
        (lambda m, x: m.layer(x).mean((2, 3), keepdim=True), "must only call", "raises IndexError"),
        (lambda m, x: (m.layer(x), x), "must return", "a tuple of 2 values"),
        (lambda m, x: m.layer(x).sum(0), "must only call", r"returns shape \(2,\) for 3 inputs"),
    ],
)
def test_modules_that_are_no_function_of_one_input_are_refused(forward, traced, made):
    module = Refused(forward)
    with pytest.raises(UnsupportedModuleError, match=f"Refused .*{traced}"):
        trace(module)
    with pytest.raises(UnsupportedModuleError, match=made):
        Architecture(module, input_shape=(2,))


class Two(nn.Module):
    def forward(self, x, y):
        return x + y


def test_several_inputs_are_refused():
    with pytest.raises(UnsupportedModuleError, match=r"must take one input.* got 2"):
        trace(Two())


class Mistaken(nn.Module):
    def __init__(self, function, n_features):
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 4, 3), nn.Linear(n_features, 2)
        self.function = function

    def forward(self, x):
        return self.last(self.function(self.conv(x)))


def test_means_over_one_axis_of_images_are_none_over_their_places():
    """With as many rows as channels, only the number of axes tells what the Linear takes."""
    architecture = Architecture(Mistaken(lambda x: x.mean(2), 4), input_shape=(1, 6, 6))
    with pytest.raises(UnsupportedModuleError, match=r"GlobalMean.*3 axes"):
        architecture.permute(torch.randn(2, architecture.n_weights))


def test_views_that_cut_samples_are_refused():
    """A view that cuts samples into several looks like one that flattens them."""
    with pytest.raises(UnsupportedModuleError, match=r"one output per input.*\(24, 2\) for 3"):
        Architecture(Mistaken(lambda x: x.reshape(-1, 8), 8), input_shape=(1, 6, 6))


def test_traces_of_other_functions_are_noticed():
    """One channel is doubled in place after it was flattened, by code that looks unused."""
    module = Mistaken(lambda x: (x.flatten(1), x[:, 0].mul_(2))[0], 64)
    architecture = Architecture(module, input_shape=(1, 6, 6))
    with pytest.raises(
        UnsupportedModuleError, match="permutation symmetries of Mistaken cannot be verified"
    ):
        architecture.permute(torch.randn(2, architecture.n_weights))
    with pytest.raises(UnsupportedModuleError, match="Mistaken"):
        architecture.to_spec()


def test_sequences_are_averaged_over_their_one_axis_of_places():
    module = Calling(lambda x: x.mean(-1), conv=nn.Conv1d).eval()
    step = trace(module)[-1]
    X = torch.randn(3, 1, 6)
    torch.testing.assert_close(step.layer(module.conv(X)), module(X))
    assert step.layer.n_axes == 1


@pytest.mark.slow
def test_threads_trace_at_once(monkeypatch):
    interval = sys.getswitchinterval()
    monkeypatch.setattr(nn.Module, "__call__", nn.Module.__call__)  # put back, should this fail
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            modules = [nn.Sequential(*[nn.Linear(4, 4), nn.ReLU()] * 20) for _ in range(20)]
            assert [len(steps) for steps in pool.map(trace, modules)] == [40] * 20
    finally:
        sys.setswitchinterval(interval)
