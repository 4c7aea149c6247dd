"""What killed, interrupted and damaged files cost: nothing, words, or data (Linux, macOS).

Each subject is written in a process of its own that ends at its n-th operation on files, for n
from 1 to the last: killed, by Ctrl-C, or since no file may grow, as on a full disk. Then the work
is done again. Other trials cut a finished file or flip one of its bits, or let two processes write
at once.

A trial is *survived* if the folder gives what was there before or what was to be written, bit for
bit, or is refused by an error of wsl; *lost* if it can neither be read nor written again; *raw* if
it ends in an error from inside; *wrong* if it gives anything else without a word.
"""

import os
import pickle
import resource
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks._fault_subjects import SUBJECTS, Subject
from benchmarks._runner import Benchmark, Run
from wsl.exceptions import WslError

OPERATIONS = ("open", "fsync", "replace", "unlink", "mkdir")
OUTCOMES = ("survived", "lost", "raw", "wrong")
MAX_STEPS = 10_000


@dataclass(frozen=True)
class Scale:
    """How many trials there are of each kind.

    Attributes
    ----------
    n_steps : int
        Operations at which a process ends, spread over all of them.
    n_places : int
        Places per file at which it is cut, and at which a bit is flipped.
    n_races : int
        Pairs of processes that write at once.
    """

    n_steps: int
    n_places: int
    n_races: int


SCALES = {"quick": Scale(3, 2, 1), "full": Scale(12, 10, 5)}


def in_child(work: Callable[[], object]) -> tuple[str, object]:
    """Return how a forked process ended, and the value or the text of the error.

    It ends as "done", "refused" (an error of wsl, or of the system that names a file), "raw" or
    "killed".
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ended = _ending_of(work)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(ended, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(data) if data else ("killed", None)


def value_of(work: Callable[[], object]) -> object:
    """Return the value of work in a forked process that nothing disturbs."""
    ended, value = in_child(work)
    if ended != "done":
        raise RuntimeError(f"work that nothing disturbs must end; it was {ended}: {value}")
    return value


def _ending_of(work: Callable[[], object]) -> tuple[str, object]:
    try:
        return "done", work()
    except WslError as error:
        return "refused", str(error)
    except KeyboardInterrupt:
        return "killed", None
    except OSError as error:
        return "refused" if error.filename else "raw", repr(error)
    except BaseException as error:
        return "raw", repr(error)


def ending_at(step: int, end: Callable[[], object]) -> Callable[[], int]:
    """Count operations on files from now on, and ``end`` this process at one of them."""
    count = 0

    def counted(operation: Callable) -> Callable:
        def call(*args, **kwargs):
            nonlocal count
            count += 1
            if count == step:
                end()
            return operation(*args, **kwargs)

        return call

    for name in OPERATIONS:
        setattr(os, name, counted(getattr(os, name)))
    return lambda: count


def kill() -> None:
    """End this process without a chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    """Send what Ctrl-C sends."""
    signal.raise_signal(signal.SIGINT)


def forbid_growth() -> None:
    """Let every write from now on fail, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


ENDS = {"killed": kill, "interrupted": interrupt, "disk full": forbid_growth}


def judge(subject: Subject, folder: Path, allowed: set[object]) -> str:
    """Return the outcome of a trial: read the folder, write again, and read once more."""
    ended, value = in_child(lambda: subject.read(folder))
    if ended == "raw":
        return "raw"
    if ended == "done" and value not in allowed:
        return "wrong"
    new = in_child(lambda: (subject.write(folder), subject.read(folder))[1])
    if new[0] == "done":
        return "survived" if new[1] in allowed else "wrong"
    return "raw" if new[0] == "raw" else "lost"


def ended_writes(subject: Subject, end: str, scale: Scale, root: Path) -> Iterator[str]:
    """Yield the outcome of each write that ends at one of its operations on files."""
    n_operations = int(str(value_of(lambda: _count(subject, root / "counted"))))
    allowed = {value_of(lambda: subject.read(root / "counted"))}
    steps = np.unique(np.linspace(1, n_operations, min(scale.n_steps, n_operations)).astype(int))
    for step in steps:
        folder = root / f"{end}-{step}"
        folder.mkdir()
        before: set[object] = set()
        if subject.before is not None:
            value_of(lambda folder=folder: subject.before(folder))
            before = {value_of(lambda folder=folder: subject.read(folder))}

        def write(step=step, folder=folder):
            ending_at(int(step), ENDS[end])
            subject.write(folder)

        in_child(write)
        yield judge(subject, folder, allowed | before)
        shutil.rmtree(folder)


def _count(subject: Subject, folder: Path) -> int:
    folder.mkdir()
    count = ending_at(MAX_STEPS, kill)
    subject.write(folder)
    return count()


def damaged_files(subject: Subject, damage: str, scale: Scale, root: Path) -> Iterator[str]:
    """Yield the outcome of reading a folder in which one file is cut, or has one bit flipped."""
    whole = root / f"whole-{damage}"
    whole.mkdir()
    value_of(lambda: subject.write(whole))
    allowed = {value_of(lambda: subject.read(whole))}
    files = sorted(file for file in whole.rglob("*") if file.is_file() and file.stat().st_size)
    rng = np.random.default_rng(0)
    for file in files:
        data = file.read_bytes()
        for place in np.unique(rng.integers(len(data), size=scale.n_places)):
            folder = root / f"{damage}-{file.name}-{place}"
            shutil.copytree(whole, folder)
            broken = bytearray(data[:place] if damage == "cut" else data)
            if damage == "bit flipped":
                broken[place] ^= 1 << int(rng.integers(8))
            (folder / file.relative_to(whole)).write_bytes(broken)
            ended, value = in_child(lambda folder=folder: subject.read(folder))
            refused = ended == "refused" or (ended == "done" and value in allowed)
            yield "survived" if refused else "wrong" if ended == "done" else "raw"
            shutil.rmtree(folder)


def races(subject: Subject, scale: Scale, root: Path) -> Iterator[str]:
    """Yield the outcome of each pair of processes that write to one folder at once."""
    alone = root / "alone"
    alone.mkdir()
    value_of(lambda: subject.write(alone))
    allowed = {value_of(lambda: subject.read(alone))}
    for index in range(scale.n_races):
        folder = root / f"race-{index}"
        folder.mkdir()
        first = os.fork()
        if first == 0:
            in_child(lambda folder=folder: subject.write(folder))
            os._exit(0)
        in_child(lambda folder=folder: subject.write(folder))
        os.waitpid(first, 0)
        yield judge(subject, folder, allowed)
        shutil.rmtree(folder)


def trials(subject: Subject, scale: Scale, root: Path) -> Iterator[tuple[str, str]]:
    """Yield the fault and the outcome of every trial of a subject."""
    for end in ENDS:
        place = root / end
        place.mkdir(parents=True)
        yield from ((end, outcome) for outcome in ended_writes(subject, end, scale, place))
    for damage in ("cut", "bit flipped"):
        yield from ((damage, outcome) for outcome in damaged_files(subject, damage, scale, root))
    yield from (("two writers", outcome) for outcome in races(subject, scale, root))


def run(run: Run) -> None:
    """Count the outcomes of all trials, by subject and fault."""
    torch.set_num_threads(1)  # a process that has started threads does not survive a fork
    rows = []
    for subject in SUBJECTS:
        with tempfile.TemporaryDirectory() as root:
            counts = Counter(trials(subject, run.scale, Path(root)))
        for fault in dict.fromkeys(fault for fault, _ in counts):
            found = {outcome: counts[fault, outcome] for outcome in OUTCOMES}
            rows.append(
                {"written": subject.name, "fault": fault, "tried": sum(found.values())} | found
            )
        run.log(f"{subject.name}: {sum(counts.values())} trials")
    table = pd.DataFrame(rows)
    run.table("faults", table)
    run.table(
        "by_fault", table.groupby("fault", sort=False)[["tried", *OUTCOMES]].sum().reset_index()
    )


BENCHMARK = Benchmark(
    "fault_matrix",
    "what kills, interrupts, full disks, damage and second writers cost (Linux, macOS)",
    "7 minutes on one core",
    run,
    SCALES,
)

if __name__ == "__main__":
    BENCHMARK.main()
