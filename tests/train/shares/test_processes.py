"""Several processes train one network, to the same byte, and none is left over when one is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from vidrnn.errors import ProcessError, UsageError
from vidrnn.train.shares.workers import Workers, _told, join_workers

TINY = ["--encoder", "tiny", "--units", "8", "--size", "32x24", "--frames", "4", "--seed", "1", "--jobs", "1"]
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc, to see the processes")


@pytest.mark.parametrize(("size", "count"), [(1, 4), (2, 4), (3, 4), (4, 2), (5, 16)])
def test_each_share_is_computed_by_one_process_in_their_order(size: int, count: int) -> None:
    shares = [share for rank in range(size) for share in Workers(rank=rank, size=size).own(count)]
    assert shares == list(range(count))


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_first_process_always_has_a_share_since_it_alone_hears_ctrl_c(size: int) -> None:
    assert all(len(Workers(rank=0, size=size).own(count)) for count in range(1, 6))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"RANK": "x", "WORLD_SIZE": "2"}, "RANK is 'x'"),
        ({"RANK": "0", "WORLD_SIZE": "two"}, "WORLD_SIZE is 'two'"),
        ({"WORLD_SIZE": "2"}, "RANK is ''"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "no MASTER_ADDR and no MASTER_PORT"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}, "RANK is 2"),
    ],
)
def test_an_environment_that_is_not_that_of_torchrun_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        join_workers(1, "cpu", given)


def test_the_loss_of_a_process_is_told_without_the_inside_of_torch() -> None:
    inside = "[/__w/gloo/transport/tcp/pair.cc:561] Connection closed by peer [::1]:9. Check the logs. GLHF!"
    with pytest.raises(ProcessError, match=r"cannot be reached \(Connection closed by peer \[::1\]:9\)\."), _told():
        raise RuntimeError(inside)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "VIDRNN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vidrnn", "train", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def train(folder: Path, *arguments: str) -> None:
    _, said = (job := start(folder, *arguments)).communicate(timeout=300)
    assert job.returncode == 0, said


def same(one: Path, other: Path) -> bool:
    weights, others = (load_file(run / "model" / "model.safetensors") for run in (one, other))
    return weights.keys() == others.keys() and all((weights[name] == others[name]).all() for name in weights)


def workers_of(job: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def test_two_processes_give_the_weights_of_one(class_folders: Path, tmp_path: Path) -> None:
    short = [str(class_folders), *TINY, "--epochs", "1", "--no-report", "--no-test"]
    train(tmp_path, *short, "--out", "one")
    train(tmp_path, *short, "--out", "two", "--processes", "2")
    assert same(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["worker", "launcher"])
def test_a_lost_process_ends_all_and_one_process_goes_on(class_folders: Path, tmp_path: Path, lost: str) -> None:
    data, often = str(class_folders), ["--checkpoint-minutes", "0.001", "--epochs", "40"]
    train(tmp_path, data, *TINY, "--epochs", "40", "--out", "whole")
    job = start(tmp_path, data, *TINY, *often, "--out", "run", "--processes", "2")
    checkpoint, deadline = tmp_path / "run" / "checkpoint" / "training.safetensors", time.monotonic() + 200
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = workers_of(job)
    assert len(workers) == 2, "the training has ended too early for this test"
    os.kill(workers[1] if lost == "worker" else job.pid, signal.SIGKILL)
    _, said = job.communicate(timeout=60)
    if lost == "worker":
        assert job.returncode == 1 and "Process 2 of 2 was ended from outside (SIGKILL)" in " ".join(said.split())
        assert "Traceback" not in said
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    train(tmp_path, "--resume", "run")
    assert same(tmp_path / "whole", tmp_path / "run")
