"""Kill vidrnn at random moments, look at what is on the disk, go on, and compare with what was never killed.

    python benchmarks/attack/kills.py [--kills 20] [--only train --only folder]

After each SIGKILL everything under a final name must be whole: a model loads, a portable file has its sum, and where
something was to be replaced the old or the new one is there. Then the work goes on and must end in the same bytes:
weights, a portable file's numbers, scores of a comparison, results of a folder. A training goes on with another number
of threads or processes than it began with; of several processes the launcher or a worker is killed. POSIX only. It
takes a while, since a short training is started at least twice for each kill.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import typer
from safetensors.numpy import load_file

from vidrnn.errors import VidrnnError
from vidrnn.model.header import PORTABLE_NAME, WEIGHTS_NAME
from vidrnn.runtimes.onnx import OnnxRuntime
from vidrnn.sums import is_whole

ROOT = Path(__file__).resolve().parents[2]
FILMS = ROOT / "sample_videos"
SHORT = ["--size", "32x24", "--frames", "4", "--epochs", "3", "--seed", "1", "--jobs", "1"]
OFTEN = ["--checkpoint-minutes", "0.001"]
HOW_MANY = ([], ["--jobs", "1"], ["--jobs", "4"], ["--processes", "2", "--jobs", "1"])
"""Threads and processes, which change nothing."""
TINY = ["--encoder", "tiny", "--units", "8", *SHORT]
HALVES = ("early", "late")
"""Behaviours of a clip: its first half second, and the second one."""
State = dict[str, str]
"""What must be the same in the end: names and sums."""


@dataclass
class Kind:
    """One kind of work."""

    name: str
    command: Callable[[Path], list[str]]
    """The work in a folder, from its beginning."""
    go_on: Callable[[Path], list[str]]
    """After a kill."""
    state: Callable[[Path], State]
    """Of finished work."""
    prepare: Callable[[Path], None] = lambda folder: None
    """What is there before."""
    faults: list[str] = field(default_factory=list)


def vidrnn(folder: Path, arguments: list[str], kill_after: float | None = None, chance: float = 0.0) -> float:
    """Run a command in a folder; SIGKILL it and its processes after some seconds. Gives the seconds that it took.

    `chance`, between 0 and 1, chooses the process of a training in several processes that is killed.
    """
    started = time.monotonic()
    environment = {**os.environ, "VIDRNN_CACHE": str(folder / "cache")}
    job = subprocess.Popen(
        [sys.executable, "-m", "vidrnn", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, said = job.communicate(timeout=kill_after)
        if job.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(arguments)}: exit code {job.returncode}\n{said}")
    except subprocess.TimeoutExpired:
        workers = children(job.pid)
        if workers and chance > 1 / (1 + len(workers)):
            os.kill(workers[int(chance * len(workers))], 9)
        else:
            os.killpg(job.pid, 9)
        job.communicate()
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            time.sleep(0.1)
    return time.monotonic() - started


def children(parent: int) -> list[int]:
    """The processes that a launcher started."""
    if sys.platform != "linux":
        return []
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def weights(folder: Path, run: str = "run") -> State:
    """The sum of the tensors of a run's model, without the header, which holds times."""
    whole = hashlib.sha256()
    for name, tensor in sorted(load_file(folder / run / "model" / WEIGHTS_NAME).items()):
        whole.update(name.encode() + tensor.tobytes())
    return {"weights": whole.hexdigest()}


def results(folder: Path) -> State:
    """The sums of the results of a folder."""
    files = (file for file in (folder / "out").rglob("*") if file.is_file() and file.suffix != ".lock")
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def comparison(folder: Path) -> State:
    """The scores of a comparison, without its times."""
    lines = [json.loads(line) for line in (folder / "cmp" / "trainings.jsonl").read_text().splitlines()]
    return {f"{one['head']}, {one['seed']}": str((one["accuracy"], one["hits"], one["after"])) for one in lines}


def portable(folder: Path) -> State:
    """The sum of a portable file; the same model gives the same bytes."""
    return {PORTABLE_NAME: hashlib.sha256((folder / "model" / PORTABLE_NAME).read_bytes()).hexdigest()}


def begin_or_resume(begin: list[str]) -> Callable[[Path], list[str]]:
    """Resume the run if its settings were written before the kill, else begin it."""

    def command(folder: Path) -> list[str]:
        run = folder / "run"
        written = (run / "config.toml").is_file() or (run / ".training" / "config.toml").is_file()
        return ["train", "--resume", "run", *random.choice(HOW_MANY)] if written else begin

    return command


def train_kind(name: str, begin: list[str], prepare: Callable[[Path], None] = lambda folder: None) -> Kind:
    """A training."""
    return Kind(name, lambda folder: begin, begin_or_resume(begin), weights, prepare)


def kinds() -> list[Kind]:
    """All kinds of work."""
    data = "clips"
    classify = ["train", data, *TINY, "--out", "run"]
    next_frame = ["train", data, "--task", "next-frame", "--grey", "--context", "2", "--horizon", "1"]
    next_frame += ["--size", "24x16", "--epochs", "2", "--units", "4", "--jobs", "1", *OFTEN, "--out", "run"]
    label = ["train", "day/a_day.csv", "--task", "label", *TINY, *OFTEN, "--out", "run"]
    folds = ["train", data, *TINY, *OFTEN, "--folds", "2", "--out", "run"]
    label_folds = ["train", "clips/bouts.csv", "--task", "label", *TINY, *OFTEN, "--folds", "3", "--out", "run"]
    features = ["train", data, "--features", "features", "--rate", "5", *SHORT[2:], *OFTEN, "--out", "run"]
    frozen = ["train", data, "--encoder", "mobilenet_v2", *SHORT, *OFTEN, "--epochs", "20", "--out", "run"]
    search = ["train", data, "--frames", "4", "--epochs", "2", *OFTEN, "--jobs", "2", "--out", "run"]
    replaced = [*classify, "--overwrite"]
    compare = ["compare", data, *TINY, "--head", "gru", "--head", "none", "--seeds", "1"]
    folder_run = ["predict", data, "--model", str(ROOT / "models" / "moves"), "--out", "out", "--format", "jsonl,csv"]
    export = ["export", "model"]

    def a_day(folder: Path) -> None:
        (folder / "day").mkdir()
        for name in ("a_day.csv", "a_day.webm"):
            shutil.copy(FILMS / name, folder / "day")

    def bouts(folder: Path) -> None:
        films = sorted(each.relative_to(folder / data) for each in (folder / data).rglob("*") if each.is_file())
        rows = [f"{film},{half / 2},{half / 2 + 0.5},{word}" for film in films for half, word in enumerate(HALVES)]
        (folder / data / "bouts.csv").write_text("\n".join(["path,start,end,label", *rows]))

    def numbers(folder: Path) -> None:
        draw = np.random.default_rng(0)
        for film in (each for each in (folder / data).rglob("*") if each.is_file()):
            file = folder / "features" / film.relative_to(folder / data).with_suffix(".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, draw.random((10, 8), np.float32))

    def old_run(folder: Path) -> None:
        vidrnn(folder, [*classify[:-2], "--seed", "7", "--out", "run"])

    def model_to_export(folder: Path) -> None:
        shutil.copytree(ROOT / "models" / "moves", folder / "model")

    def compared(folder: Path) -> list[str]:
        resume = (folder / "cmp" / "facts.json").is_file()
        how = ["compare", "--head", "gru", "--head", "none", "--seeds", "1", "--resume", "cmp"]
        if not resume:
            shutil.rmtree(folder / "cmp", ignore_errors=True)  # nothing but settings was there
        return how if resume else [*compare, "--out", "cmp"]

    return [
        train_kind("train", [*classify, *OFTEN]),
        train_kind("frozen", frozen),
        train_kind("label", label, a_day),
        train_kind("next-frame", next_frame),
        train_kind("folds", folds),
        train_kind("label, folds", label_folds, bouts),
        train_kind("features, processes", [*features, "--processes", "2"], numbers),
        train_kind("search", search),
        train_kind("search, processes", [*search, "--processes", "2"]),
        train_kind("processes", [*classify, *OFTEN, "--processes", "2"]),
        train_kind("label, processes", [*label, "--processes", "2"], a_day),
        train_kind("next-frame, processes", [*next_frame, "--processes", "2"]),
        Kind("overwrite", lambda folder: replaced, _overwritten(replaced), weights, old_run),
        Kind("export", lambda folder: export, lambda folder: export, portable, model_to_export),
        Kind("compare", lambda folder: [*compare, "--out", "cmp"], compared, comparison),
        Kind("folder", lambda folder: folder_run, lambda folder: folder_run, results),
    ]


def _overwritten(begin: list[str]) -> Callable[[Path], list[str]]:
    def command(folder: Path) -> list[str]:
        started = (folder / "run" / ".training" / "config.toml").is_file()
        new = (folder / "run" / "config.toml").read_text().find("seed = 1") >= 0
        return ["train", "--resume", "run"] if started or new else begin

    return command


def copy_films(folder: Path) -> None:
    """Some films of two classes."""
    for label in ("walk-left", "walk-right"):
        (folder / label).mkdir(parents=True)
        for film in sorted((FILMS / label).iterdir())[:14]:
            shutil.copy(film, folder / label)


def half_written(folder: Path) -> list[str]:
    """What is under a final name and is not whole."""
    found = []
    for file in folder.rglob(WEIGHTS_NAME):
        try:
            load_file(file)
            whole = is_whole(file)
        except Exception as error:  # whatever the reader says of half a file
            found.append(f"{file.name}: {error}")
        else:
            found += [] if whole else [f"{file.name}: another sum"]
    for file in folder.rglob(PORTABLE_NAME):
        try:
            OnnxRuntime.open(file)
        except VidrnnError as error:
            found.append(str(error))
    for file in folder.rglob("*.jsonl"):
        if file.name != "metrics.jsonl" and not file.read_text().endswith("\n"):
            found.append(f"{file.name}: half a line")
    return found


def attack(kind: Kind, kills: int, seed: int) -> str:
    """Kill one kind of work; a row of the table."""
    draw = random.Random(seed)
    random.seed(seed)
    with tempfile.TemporaryDirectory() as place:
        start, whole = Path(place) / "start", Path(place) / "whole"
        copy_films(start / "clips")
        kind.prepare(start)
        shutil.copytree(start, whole)
        seconds = vidrnn(whole, kind.command(whole))
        expected = kind.state(whole)
        for number in range(kills):
            folder = Path(place) / f"{number}"
            shutil.copytree(start, folder)
            before = kind.state(folder) if kind.name in ("overwrite", "export") else {}
            vidrnn(folder, kind.command(folder), draw.uniform(0, seconds), draw.random())
            kind.faults += half_written(folder)
            if before and kind.state(folder) not in (before, expected):
                kind.faults.append("neither the old nor the new one is there")
            vidrnn(folder, kind.go_on(folder))
            if kind.state(folder) != expected:
                kind.faults.append(f"kill {number}: other bytes than without the kill")
            shutil.rmtree(folder)
    told = "; ".join(dict.fromkeys(kind.faults)) or "none"
    return f"| {kind.name} | {kills} | {seconds:.0f} | {len(kind.faults)} | {told} |"


def main(kills: int = 20, only: list[str] | None = None, seed: int = 0) -> None:
    """Print a row for each kind of work; exit code 1 if there was a fault."""
    print("| work | kills | seconds of the work | faults | which |\n|---|---|---|---|---|", flush=True)
    chosen = [kind for kind in kinds() if not only or kind.name in only]
    for kind in chosen:
        print(attack(kind, kills, seed), flush=True)
    raise typer.Exit(any(kind.faults for kind in chosen))


if __name__ == "__main__":
    typer.run(main)
