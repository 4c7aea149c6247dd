"""Workers: what they return, and that none of them outlives its process."""

import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import pytest

from wsl._interrupts import termination_unwinds
from wsl._workers import run_jobs


def slow_square(number):
    time.sleep(0.3 if number == 0 else 0)
    return number**2


def raise_an_error():
    raise ZeroDivisionError


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_results_come_in_order(n_jobs):
    jobs = [joblib.delayed(slow_square)(number=i) for i in range(5)]
    assert list(run_jobs(jobs, n_jobs)) == [0, 1, 4, 9, 16]
    unordered = list(run_jobs(jobs, n_jobs, ordered=False, batch_size=1))
    assert sorted(unordered) == [0, 1, 4, 9, 16]
    with pytest.raises(ZeroDivisionError):
        list(run_jobs([joblib.delayed(raise_an_error)()], n_jobs))


def pid_after(seconds):
    time.sleep(seconds)
    return os.getpid()


def test_workers_are_not_started_for_little_work():
    jobs = [joblib.delayed(pid_after)(0.001) for _ in range(30)]
    assert set(run_jobs(jobs, 2, n_total=30)) == {os.getpid()}


@pytest.mark.slow
def test_workers_are_started_for_much_work():
    jobs = [joblib.delayed(pid_after)(0.5) for _ in range(30)]
    pids = list(run_jobs(jobs, 2, n_total=30))
    assert pids[:3] == [os.getpid()] * 3
    assert os.getpid() not in pids[3:]


def test_a_backend_that_was_chosen_gets_all_jobs():
    with joblib.parallel_config(backend="threading", n_jobs=2):
        jobs = [joblib.delayed(threading.get_ident)() for _ in range(6)]
        assert threading.get_ident() not in run_jobs(jobs, None, n_total=6)


def test_a_handler_of_the_users_own_stays():
    handler = signal.getsignal(signal.SIGTERM)
    assert handler is signal.SIG_DFL
    with pytest.raises(SystemExit) as exit_, termination_unwinds():
        signal.raise_signal(signal.SIGTERM)
    assert exit_.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    received = []
    signal.signal(signal.SIGTERM, lambda *args: received.append(args[0]))
    try:
        with termination_unwinds():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert received == [signal.SIGTERM]


# Each job writes its process id; a third worker gets no job, or in "idle" all are done with theirs.
WORKING = """
import os, sys, time
from pathlib import Path
import joblib
from wsl._workers import run_jobs

folder, when = Path(sys.argv[1]), sys.argv[2]

def work(index):
    (folder / str(os.getpid())).touch()
    while len(list(folder.glob("[0-9]*"))) < 2:
        time.sleep(0.05)
    if when != "idle":
        time.sleep(60)

results = run_jobs([joblib.delayed(work)(i) for i in range(2)], 3, batch_size=1)
if when == "idle":
    list(results)
    (folder / "idle").touch()
    time.sleep(60)
list(results)
"""


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize(
    ("when", "number", "code"),
    [
        ("at work", signal.SIGTERM, 143),
        ("at work", signal.SIGKILL, -9),
        ("idle", signal.SIGTERM, -15),
    ],
)
def test_no_worker_outlives_its_process(when, number, code, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WORKING, str(tmp_path), when])
    ready = "idle" if when == "idle" else "[0-9]*"
    while len(list(tmp_path.glob(ready))) < (1 if when == "idle" else 2):
        assert process.poll() is None
        time.sleep(0.05)
    workers = [int(file.name) for file in tmp_path.glob("[0-9]*")]
    assert len(workers) == 2
    assert all(map(is_alive, workers))
    process.send_signal(number)
    assert process.wait(60) == code
    end = time.monotonic() + 60
    while any(map(is_alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
