"""Models that other software stored: what is read, what is refused, and that no code is run."""

import json
import os
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wsl import Architecture, ModelZoo, _batches, read_zoo
from wsl.exceptions import (
    DivergedModelWarning,
    IncompleteZooWarning,
    InvalidInputError,
    ZooFileError,
)
from wsl.zoo import _read
from wsl.zoo.storage._journal import JOURNAL

ARCHITECTURE = Architecture.mlp(3, [4], 2, "tanh")
WIDER = Architecture.mlp(3, [5], 2, "tanh")
CNN = Architecture.cnn((1, 6, 6), [2], [], 3)
N_MODELS = 5
NAMES = [f"net_{i}" for i in range(N_MODELS)]


class Payload:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def make_states(architecture=ARCHITECTURE, n_models=N_MODELS, seed=0):
    """State dicts of torch's own modules, and their rows put together by hand."""
    torch_rng = torch.Generator().manual_seed(seed)
    states = []
    for _ in range(n_models):
        state = architecture.template.state_dict()
        states.append({k: torch.randn(v.shape, generator=torch_rng) for k, v in state.items()})
    rows = [torch.cat([value.flatten() for value in state.values()]).numpy() for state in states]
    return states, np.stack(rows)


def save_safetensors(folder, states, names=NAMES):
    folder.mkdir(exist_ok=True)
    for name, state in zip(names, states, strict=True):
        save_file(state, folder / f"{name}.safetensors")
    return folder


def save_pickles(folder, states, names=NAMES, suffix=".pt"):
    folder.mkdir(exist_ok=True)
    for name, state in zip(names, states, strict=True):
        torch.save(state, folder / f"{name}{suffix}")
    return folder


def save_ray(folder, states, names=NAMES, epochs=(0, 2), checkpoint="checkpoint_{:06d}"):
    """Write trials as ray.tune does under a Trainable that saves ``checkpoints``.

    The weights of epoch e are those of the state times e + 1.
    """
    folder.mkdir(exist_ok=True)
    (folder / "experiment_state-2021-08-05_12-33-44.json").write_text('{"checkpoints": []}')
    (folder / "index_dict.json").write_text('{"layer": [[0, "conv2d"]]}')
    for number, (name, state) in enumerate(zip(names, states, strict=True)):
        trial = folder / name
        trial.mkdir()
        config = {"seed": number, "optim::lr": 10.0**-number, "model::type": "MLP", "cuda": False}
        config |= {"scheduler": {"name": None, "steps": [1, 2]}}
        (trial / "params.json").write_text(json.dumps(config))
        (trial / "params.pkl").write_bytes(pickle.dumps(Payload(folder / "sprung")))
        (trial / "progress.csv").write_text("train_loss,test_acc\n")
        lines = []
        for epoch in range(max(epochs) + 1):
            result = {"train_loss": 1 / (epoch + 1), "test_acc": (number + epoch) / 10}
            result |= {"training_iteration": epoch, "done": False, "pid": 7, "hostname": "node1"}
            lines.append(json.dumps(result | {"trial_id": f"{number}", "config": config}) + "\n")
        (trial / "result.json").write_text("".join(lines))
        for epoch in epochs:
            inner = trial / checkpoint.format(epoch)
            inner.mkdir()
            torch.save({k: v * (epoch + 1) for k, v in state.items()}, inner / "checkpoints")
            torch.save({"state": {}, "param_groups": []}, inner / "optimizer")
            (inner / ".is_checkpoint").touch()
    return folder


LAYOUTS = {"safetensors": save_safetensors, "state_dicts": save_pickles, "ray": save_ray}
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


# --- what comes back


@pytest.mark.parametrize("architecture", [ARCHITECTURE, CNN], ids=["mlp", "cnn"])
@every_layout
@pytest.mark.parametrize("named", [True, False], ids=["named", "detected"])
def test_rows_are_the_state_dicts(architecture, layout, named, tmp_path):
    states, rows = make_states(architecture)
    path = LAYOUTS[layout](tmp_path / "models", states)
    zoo = read_zoo(path, architecture, **({"layout": layout} if named else {}))
    np.testing.assert_array_equal(zoo.weights, rows * (3 if layout == "ray" else 1))
    assert zoo.weights.dtype == np.float32
    assert zoo.metadata["model"].tolist() == NAMES
    assert zoo.architecture is architecture
    zoo.weights[0] = 0  # the weights are the caller's


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin"])
@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch(suffix, zipped, tmp_path):
    states, rows = make_states()
    for name, state in zip(NAMES, states, strict=True):
        file = tmp_path / f"{name}{suffix}"
        torch.save(state, file, _use_new_zipfile_serialization=zipped)
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / f"._net_0{suffix}").write_text("what macOS leaves in archives")
    (tmp_path / "__MACOSX").mkdir()
    np.testing.assert_array_equal(read_zoo(tmp_path, ARCHITECTURE).weights, rows)


def test_modules_train_and_come_back(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    torch.save(module.state_dict(), tmp_path / "a.pt")
    zoo = read_zoo(tmp_path, ARCHITECTURE)
    X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    expected = module(X).detach().numpy()
    np.testing.assert_allclose(zoo.forward(X.numpy())[0], expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["one", "list", "dict", "safetensors", "wrapped"])
def test_a_single_file(kind, tmp_path):
    states, rows = make_states()
    contents = {
        "one": states[0],
        "list": states,
        "dict": dict(zip(NAMES, states, strict=True)),
        "wrapped": {"epoch": 3, "state_dict": states[0], "optimizer": {"state": {}}},
    }
    file = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.pt")
    if kind == "safetensors":
        save_file(states[0], file)
    else:
        torch.save(contents[kind], file)
    zoo = read_zoo(file, ARCHITECTURE)
    many = {"list": list("01234"), "dict": NAMES}
    assert zoo.metadata["model"].tolist() == many.get(kind, ["a"])
    np.testing.assert_array_equal(zoo.weights, rows if kind in many else rows[:1])


def test_our_own_format(tmp_path):
    _, rows = make_states()
    stored = ModelZoo(rows, ARCHITECTURE, pd.DataFrame({"a": range(N_MODELS)}))
    path = stored.save(tmp_path / "zoo")
    for zoo in (
        read_zoo(path),
        read_zoo(str(path), ARCHITECTURE, layout="zoo"),
        read_zoo(path, group=True)[ARCHITECTURE],
        read_zoo(path, out=tmp_path / "copy"),
    ):
        np.testing.assert_array_equal(zoo.weights, rows)
        pd.testing.assert_frame_equal(zoo.metadata, stored.metadata)
    assert isinstance(zoo.weights, np.memmap)
    with pytest.raises(
        InvalidInputError, match=r"`architecture` must be an Architecture or None .*; got a"
    ):
        read_zoo(path, [ARCHITECTURE])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_float_types_become_float32(dtype, tmp_path):
    states, rows = make_states()
    cast = [{k: v.to(dtype) for k, v in state.items()} for state in states]
    expected = torch.tensor(rows).to(dtype).to(torch.float32).numpy()
    for layout in LAYOUTS.values():
        if layout is save_ray:
            continue
        path = layout(tmp_path / layout.__name__, cast)
        np.testing.assert_array_equal(read_zoo(path, ARCHITECTURE).weights, expected)


@pytest.mark.parametrize("prefix", ["module_list.", "module.net.", "0."])
def test_a_prefix_common_to_all_names_is_passed_over(prefix, tmp_path):
    states, rows = make_states()
    path = save_pickles(
        tmp_path / "models", [{prefix + k: v for k, v in state.items()} for state in states]
    )
    np.testing.assert_array_equal(read_zoo(path, ARCHITECTURE).weights, rows)


def test_a_prefix_of_some_names_is_not(tmp_path):
    (state,), _ = make_states(n_models=1)
    torch.save({f"a.{k}" if "0" in k else f"b.{k}": v for k, v in state.items()}, tmp_path / "a.pt")
    with pytest.raises(InvalidInputError, match=r"none .*'0.weight'.* unknown .*'a.0.weight'"):
        read_zoo(tmp_path, ARCHITECTURE)


def test_counters_of_batch_norm_are_left_out(tmp_path):
    states, rows = make_states()
    states = [s | {"1.num_batches_tracked": torch.tensor(7)} for s in states]
    np.testing.assert_array_equal(
        read_zoo(save_pickles(tmp_path / "models", states), ARCHITECTURE).weights, rows
    )


# --- ray-tune trials


def test_settings_and_results_of_the_last_epoch(tmp_path):
    states, rows = make_states()
    zoo = read_zoo(save_ray(tmp_path / "models", states), ARCHITECTURE)
    expected = pd.DataFrame(
        {
            "model": NAMES,
            "epoch": 2,
            "config/seed": range(N_MODELS),
            "config/optim::lr": [10.0**-i for i in range(N_MODELS)],
            "config/model::type": "MLP",
            "config/cuda": False,
            "config/scheduler/name": None,
            "config/scheduler/steps": "[1, 2]",
            "train_loss": 1 / 3,
            "test_acc": [(i + 2) / 10 for i in range(N_MODELS)],
            "training_iteration": 2,
            "done": False,
            "trial_id": [str(i) for i in range(N_MODELS)],
        }
    )
    pd.testing.assert_frame_equal(zoo.metadata, expected)
    np.testing.assert_array_equal(zoo.weights, 3 * rows)
    back = ModelZoo.load(zoo.save(tmp_path / "zoo"))
    pd.testing.assert_frame_equal(back.metadata, expected)
    assert not (tmp_path / "models" / "sprung").exists()


@pytest.mark.parametrize("checkpoint", ["checkpoint_{:06d}", "checkpoint_{}"])
@pytest.mark.parametrize(
    ("epochs", "expected"),
    [("last", [12]), ("all", [0, 4, 12]), (4, [4]), ([12, 0], [12, 0]), (range(0, 5, 4), [0, 4])],
    ids=str,
)
def test_epochs_are_chosen(checkpoint, epochs, expected, tmp_path):
    states, rows = make_states(n_models=2)
    path = save_ray(tmp_path / "models", states, NAMES[:2], (0, 4, 12), checkpoint)
    zoo = read_zoo(path, ARCHITECTURE, epochs=epochs)
    assert zoo.metadata["model"].tolist() == np.repeat(NAMES[:2], len(expected)).tolist()
    assert zoo.metadata["epoch"].tolist() == 2 * expected
    assert zoo.metadata["training_iteration"].tolist() == 2 * expected
    np.testing.assert_allclose(zoo.metadata["train_loss"], [1 / (e + 1) for e in 2 * expected])
    scale = np.array(2 * expected, np.float32)[:, None] + 1
    np.testing.assert_array_equal(zoo.weights, np.repeat(rows, len(expected), axis=0) * scale)


def test_an_epoch_that_is_not_there(tmp_path):
    path = save_ray(tmp_path / "models", make_states()[0])
    with pytest.raises(InvalidInputError, match=r"`epochs` must be among \[0, 2.*net_0; got \[1\]"):
        read_zoo(path, ARCHITECTURE, epochs=[1, 2])
    with pytest.raises(InvalidInputError, match=r"`epochs` must be 'last', 'all', .*; got 'first'"):
        read_zoo(path, ARCHITECTURE, epochs="first")
    save_pickles(tmp_path / "flat", make_states()[0])
    with pytest.raises(
        InvalidInputError,
        match=r"`epochs` is only used for ray-tune trials, and .*flat holds none; got 1",
    ):
        read_zoo(tmp_path / "flat", ARCHITECTURE, epochs=1)


def test_checkpoints_that_are_numbered_apart_from_epochs(tmp_path):
    """Later releases of ray count checkpoints and note their names in the results."""
    (state,), rows = make_states(n_models=1)
    path = save_ray(tmp_path / "models", [state], NAMES[:1], (0, 1))
    lines = [
        {"training_iteration": 10 * (i + 1), "checkpoint_dir_name": f"checkpoint_{i:06d}"}
        for i in range(2)
    ]
    (path / NAMES[0] / "result.json").write_text("\n".join(map(json.dumps, lines)))
    zoo = read_zoo(path, ARCHITECTURE, epochs=[20])
    assert zoo.metadata["epoch"].tolist() == [20]
    np.testing.assert_array_equal(zoo.weights, 2 * rows)


def test_trials_without_results_or_settings(tmp_path):
    states, _ = make_states()
    path = save_ray(tmp_path / "models", states)
    (path / "net_1" / "result.json").unlink()
    (path / "net_2" / "params.json").unlink()
    text = (path / "net_3" / "result.json").read_text()
    (path / "net_3" / "result.json").write_text(text[:-20])  # torn by the end of the run
    table = read_zoo(path, ARCHITECTURE).metadata
    assert table["epoch"].tolist() == [2] * N_MODELS
    assert np.flatnonzero(table["test_acc"].isna()).tolist() == [1, 3]
    assert np.flatnonzero(table["config/seed"].isna()).tolist() == [2]


def test_trials_without_checkpoints_are_named(tmp_path):
    states, rows = make_states()
    path = save_ray(tmp_path / "models", states)
    (path / "net_1" / "checkpoint_000002" / "checkpoints").unlink()
    (path / "net_1" / "checkpoint_000000" / "checkpoints").unlink()
    with pytest.warns(IncompleteZooWarning, match=r"1 folders of .* left out: \['net_1'\]"):
        zoo = read_zoo(path, ARCHITECTURE)
    np.testing.assert_array_equal(zoo.weights, 3 * np.delete(rows, 1, axis=0))
    assert zoo.metadata["config/seed"].tolist() == [0, 2, 3, 4]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("params.json", "{", r"params\.json is not valid JSON"),
        ("params.json", "[1]", r"params\.json is not valid: it must be an object; got \[1\]"),
        ("result.json", "{\n{}\n{}", r"result\.json, line 1, is not valid JSON"),
        ("result.json", "3\n", r"result\.json, line 1, is not valid: it must be an object; got 3"),
        ("result.json", b"\xff\xfe\n", r"result\.json, line 1, is not UTF-8 text"),
    ],
)
def test_damaged_records_are_named(file, text, message, tmp_path):
    path = save_ray(tmp_path / "models", make_states()[0])
    data = text if isinstance(text, bytes) else text.encode()
    (path / "net_2" / file).write_bytes(data)
    with pytest.raises(ZooFileError, match=f"net_2.{message}"):
        read_zoo(path, ARCHITECTURE)


# --- models of several kinds


def test_models_that_do_not_fit_are_listed(tmp_path):
    states, _ = make_states()
    path = save_pickles(tmp_path / "models", states)
    save_pickles(path, make_states(WIDER, 2)[0], ["wide_0", "wide_1"])
    torch.save({"0.weight": states[0]["0.weight"]}, path / "lacking.pt")
    torch.save(states[0] | {"0.bias": torch.zeros(4, dtype=torch.int64)}, path / "whole.pt")
    torch.save(states[0] | {"0.bias": [0.0] * 4}, path / "listed.pt")
    with pytest.raises(InvalidInputError) as caught:
        read_zoo(path, ARCHITECTURE)
    head, *misfits = str(caught.value).split("\n")
    assert head.startswith("`architecture` must fit all models; 5 of 10 models do not fit.")
    for name, reason in {
        "lacking.pt": "none called ['0.bias', '2.weight', '2.bias']",
        "listed.pt": "'0.bias' must hold floating point weights; got a list",
        "whole.pt": "'0.bias' must hold floating point weights; got a torch.int64",
        "wide_0.pt": "'0.weight' must have shape (4, 3); got (5, 3)",
        "wide_1.pt": "'0.weight' must have shape (4, 3); got (5, 3)",
    }.items():
        (line,) = [line for line in misfits if f"{path / name} " in line]
        assert reason in line


def test_a_long_list_is_cut(tmp_path):
    states, _ = make_states(WIDER, 12)
    path = save_pickles(tmp_path / "models", states, [f"{i:02d}" for i in range(12)])
    with pytest.raises(InvalidInputError, match=r"12 of 12 models(.|\n)*09\.pt(.|\n)*and 2 more"):
        read_zoo(path, ARCHITECTURE)


def by_width(state):
    return Architecture.mlp(3, [len(state["0.weight"])], 2, "tanh")


@pytest.mark.parametrize("candidates", [[WIDER, CNN, ARCHITECTURE], by_width])
def test_models_are_grouped(candidates, tmp_path):
    narrow, narrow_rows = make_states()
    wide, wide_rows = make_states(WIDER, 2)
    path = save_pickles(tmp_path / "models", narrow[:3] + wide + narrow[3:], list("abcdefg"))
    zoos = read_zoo(path, candidates, group=True)
    assert list(zoos) == [ARCHITECTURE, WIDER]
    np.testing.assert_array_equal(zoos[ARCHITECTURE].weights, narrow_rows)
    np.testing.assert_array_equal(zoos[WIDER].weights, wide_rows)
    assert zoos[ARCHITECTURE].metadata["model"].tolist() == list("abcfg")
    assert zoos[WIDER].metadata["model"].tolist() == list("de")
    with pytest.raises(InvalidInputError, match="2 of 7 models do not fit"):
        read_zoo(path, candidates)


def test_one_of_several_architectures_is_found(tmp_path):
    states, rows = make_states()
    zoo = read_zoo(save_pickles(tmp_path / "models", states), [WIDER, ARCHITECTURE])
    assert zoo.architecture is ARCHITECTURE
    np.testing.assert_array_equal(zoo.weights, rows)
    with pytest.raises(InvalidInputError, match=r"must have shape \(5, 3\); .*none called"):
        read_zoo(tmp_path / "models", [WIDER, CNN], group=True)


def test_diverged_models_are_kept_and_named(tmp_path):
    states, rows = make_states()
    states[1]["0.bias"][2] = torch.nan
    states[3]["2.weight"][0, 0] = -torch.inf
    path = save_safetensors(tmp_path / "models", states)
    match = r"2 of 5 models .* not finite.*net_1\.safetensors', .*net_3\.safetensors"
    with pytest.warns(DivergedModelWarning, match=match):
        zoo = read_zoo(path, ARCHITECTURE)
    assert np.isfinite(zoo.weights).all(axis=1).tolist() == [True, False, True, False, True]
    np.testing.assert_array_equal(zoo.weights[[0, 2, 4]], rows[[0, 2, 4]])


# --- what is refused


def test_an_architecture_is_asked_for(tmp_path):
    path = save_pickles(tmp_path / "models", make_states()[0])
    with pytest.raises(InvalidInputError, match=r"`architecture` must say .* state dicts in .*mod"):
        read_zoo(path)


def test_folders_without_models(tmp_path):
    with pytest.raises(ZooFileError, match="nothing does not exist"):
        read_zoo(tmp_path / "nothing", ARCHITECTURE)
    with pytest.raises(ZooFileError, match="does not hold models of a known layout"):
        read_zoo(tmp_path, ARCHITECTURE)
    for layout in LAYOUTS:
        with pytest.raises(ZooFileError, match=f"does not hold models of the layout '{layout}'"):
            read_zoo(tmp_path, ARCHITECTURE, layout=layout)
    with pytest.raises(InvalidInputError, match=r"`layout` must be one of .*; got 'zip'"):
        read_zoo(tmp_path, ARCHITECTURE, layout="zip")
    states, rows = make_states()
    save_pickles(tmp_path, states)
    save_safetensors(tmp_path, states)
    with pytest.raises(ZooFileError, match=r"layout= as one of \['safetensors', 'state_dicts'\]"):
        read_zoo(tmp_path, ARCHITECTURE)
    np.testing.assert_array_equal(
        read_zoo(tmp_path, ARCHITECTURE, layout="safetensors").weights, rows
    )
    with pytest.raises(ZooFileError, match="must be a folder of ray-tune trials; got a file"):
        read_zoo(tmp_path / "net_0.pt", ARCHITECTURE, layout="ray")


def file_of(path, layout):
    """The weights of the third model."""
    return {
        "safetensors": path / "net_2.safetensors",
        "state_dicts": path / "net_2.pt",
        "ray": path / "net_2" / "checkpoint_000002" / "checkpoints",
    }[layout]


def payloads(trap, state):
    """Files that run code when they are unpickled, as bytes by name."""
    found = {"pickle": pickle.dumps(Payload(trap), protocol=2)}
    for name, value in {"torch": Payload(trap), "beside": state | {"x": Payload(trap)}}.items():
        for zipped in (True, False):
            file = trap.parent / "payload"
            torch.save(value, file, _use_new_zipfile_serialization=zipped)
            found[f"{name} {zipped}"] = file.read_bytes()
    return found


@every_layout
def test_a_pickle_is_never_run(layout, tmp_path):
    states, _ = make_states()
    path, trap = LAYOUTS[layout](tmp_path / "models", states), tmp_path / "sprung"
    file = file_of(path, layout)
    refused = "not a safetensors file" if layout == "safetensors" else "without running code from"
    for data in payloads(trap, states[0]).values():
        file.write_bytes(data)
        for target in [path] if layout == "ray" else [path, file]:
            with pytest.raises(ZooFileError, match=refused) as caught:
                read_zoo(target, ARCHITECTURE)
            assert str(file) in str(caught.value)
            assert "weights_only" not in str(caught.value)
    assert not trap.exists()
    torch.load(tmp_path / "payload", weights_only=False)  # the trap does work
    assert trap.exists()


@every_layout
def test_damaged_weights_are_named(layout, tmp_path):
    path = LAYOUTS[layout](tmp_path / "models", make_states()[0])
    file = file_of(path, layout)
    whole = file.read_bytes()
    for size in [0, 1, 7, 8, 20, len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:size])
        with pytest.raises(ZooFileError) as caught:
            read_zoo(path, ARCHITECTURE)
        assert str(file) in str(caught.value)


@pytest.mark.parametrize("contents", [3, [], {}, {"a": 1}, torch.zeros(3), [torch.zeros(2)]])
def test_other_contents_are_named(contents, tmp_path):
    torch.save(contents, tmp_path / "a.pt")
    with pytest.raises(ZooFileError, match=r"a\.pt holds a .* that is not a state dict"):
        read_zoo(tmp_path, ARCHITECTURE)


def test_several_models_in_a_file_of_a_folder(tmp_path):
    torch.save(make_states()[0], tmp_path / "a.pt")
    with pytest.raises(ZooFileError, match=r"a\.pt must hold one state dict, .*; got 5"):
        read_zoo(tmp_path, ARCHITECTURE)


@every_layout
def test_links_lead_to_no_file_outside(layout, tmp_path):
    path = LAYOUTS[layout](tmp_path / "models", make_states()[0])
    file, away = file_of(path, layout), tmp_path / "away"
    file.rename(away)
    file.symlink_to(away)
    with pytest.raises(ZooFileError, match="is a link that leads outside"):
        read_zoo(path, ARCHITECTURE)
    file.unlink()
    away.rename(file.parent / "beside")
    file.symlink_to("beside")
    assert len(read_zoo(path, ARCHITECTURE)) == N_MODELS


@pytest.mark.parametrize("name", ["", "params.json", "result.json"])
def test_no_part_of_a_trial_is_a_link_outside(name, tmp_path):
    path = save_ray(tmp_path / "models", make_states()[0])
    away = tmp_path / "away"
    (path / "net_2" / name).rename(away)
    (path / "net_2" / name).symlink_to(away)
    with pytest.raises(ZooFileError, match="is a link that leads outside"):
        read_zoo(path, ARCHITECTURE)


# --- straight to disk


@every_layout
def test_a_zoo_is_written_on_the_way(layout, tmp_path, monkeypatch):
    monkeypatch.setattr(_batches, "BATCH_BYTES", 2 * 4 * ARCHITECTURE.n_weights)
    path = LAYOUTS[layout](tmp_path / "models", make_states()[0])
    expected = read_zoo(path, ARCHITECTURE)
    zoo = read_zoo(path, [WIDER, ARCHITECTURE], out=tmp_path / "zoo")
    assert isinstance(zoo.weights, np.memmap)
    np.testing.assert_array_equal(zoo.weights, expected.weights)
    pd.testing.assert_frame_equal(zoo.metadata, expected.metadata)
    assert zoo.architecture == ARCHITECTURE
    fit, read = _read._fit, []
    monkeypatch.setattr(_read, "_fit", lambda *args: read.append(args) or fit(*args))
    again = read_zoo(path, ARCHITECTURE, out=tmp_path / "zoo")
    assert len(read) == 1  # the first, to learn the architecture
    np.testing.assert_array_equal(again.weights, expected.weights)


def test_a_broken_read_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(_batches, "BATCH_BYTES", 2 * 4 * ARCHITECTURE.n_weights)
    states, rows = make_states()
    path = save_pickles(tmp_path / "models", states)
    fit, read = _read._fit, []

    def fragile(checkpoint, candidates):
        read.append(checkpoint.metadata["model"])
        if len(read) == 5:
            raise KeyboardInterrupt
        return fit(checkpoint, candidates)

    monkeypatch.setattr(_read, "_fit", fragile)
    with pytest.raises(KeyboardInterrupt):
        read_zoo(path, ARCHITECTURE, out=tmp_path / "zoo")
    assert (tmp_path / "zoo" / JOURNAL).exists()
    zoo = read_zoo(path, ARCHITECTURE, out=tmp_path / "zoo")
    # the first is opened to learn the architecture; two batches of two were begun
    assert read == ["net_0", "net_0", "net_1", "net_2", "net_3", "net_0", "net_2", "net_3", "net_4"]
    np.testing.assert_array_equal(zoo.weights, rows)


def test_what_does_not_fit_is_not_written(tmp_path):
    states, _ = make_states()
    path = save_pickles(tmp_path / "models", states)
    save_pickles(path, make_states(WIDER, 1)[0], ["wide"])
    with pytest.raises(InvalidInputError, match="1 of 6 models do not fit"):
        read_zoo(path, ARCHITECTURE, out=tmp_path / "zoo")
    with pytest.raises(ZooFileError, match=r"zoo\.json cannot be read"):
        ModelZoo.load(tmp_path / "zoo")
    (path / "wide.pt").unlink()
    with pytest.raises(ZooFileError, match="holds an unfinished zoo of other models"):
        read_zoo(path, ARCHITECTURE, out=tmp_path / "zoo")
    with pytest.raises(InvalidInputError, match="`out` must be None with group=True"):
        read_zoo(path, ARCHITECTURE, out=tmp_path / "zoo", group=True)
