"""The benchmark of a GPU: what it compares, what a row says, and the end of its time; all of it on a processor."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from test_packaging import ROOT

from vidrnn.train.shares.minibatches import Drawn, Window


@pytest.fixture(scope="module")
def gpu() -> Iterator[ModuleType]:
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location("gpu", folder / "gpu.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patching:
        patching.syspath_prepend(str(folder))
        patching.setitem(sys.modules, "gpu", module)
        spec.loader.exec_module(module)
        yield module


def rows_of(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, *measures: Any, bench: Any = None) -> list[str]:
    def section(_: Any) -> Iterator[Any]:
        return ((f"row {place}", measure) for place, measure in enumerate(measures))

    correctness = gpu.Section.CORRECTNESS
    monkeypatch.setitem(gpu.SECTIONS, correctness, section)
    return [str(row) for row in gpu.measured(correctness, bench or gpu.Bench("cpu", Path()))]


def test_curves_are_as_far_apart_as_their_worst_epoch(gpu: ModuleType) -> None:
    assert gpu.apart([2.0, 1.1], [2.0, 1.0]) == pytest.approx(0.1)
    assert gpu.apart([2.0], [2.0, 1.0]) == gpu.apart([], []) == gpu.apart([np.nan], [np.nan]) == np.inf


def test_a_row_that_misses_its_limit_says_so(gpu: ModuleType) -> None:
    fine, missed = gpu.within("numbers", 1e-4, 1e-3), gpu.within("numbers", 2e-3, 1e-3)
    assert str(fine) == "| numbers | 1.0e-04 |  | at most 0.001 |" and fine.right
    assert str(missed) == "| numbers | 2.0e-03 |  | at most 0.001: MISSED |" and not missed.right
    assert not gpu.within("numbers", float("nan"), 1e-3).right


def test_a_row_that_fails_costs_no_other_row(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Any:
        raise RuntimeError("no memory\nand more")

    def absent() -> Any:
        raise gpu.NotHereError("there is 1 GPU here")

    rows = rows_of(gpu, monkeypatch, fail, absent, lambda: gpu.within("last", 0.0, 1.0))
    assert rows == [
        "| row 0 | failed: RuntimeError: no memory |  | MISSED |",
        "| row 1 | not measured: there is 1 GPU here |  |  |",
        "| last | 0 |  | at most 1 |",
    ]


def test_a_section_ends_with_its_time(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []
    bench = gpu.Bench("cpu", Path(), until=0.0)
    rows = rows_of(gpu, monkeypatch, partial(measured.append, "too late"), bench=bench)
    assert rows == ["| row 0 | not measured: the time of this section was over |  |  |"] and not measured


def test_a_row_of_correctness_that_misses_is_the_exit_code(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for difference, code in ((0.0, 0), (2.0, 1)):
        monkeypatch.setitem(
            gpu.SECTIONS,
            gpu.Section.CORRECTNESS,
            lambda _, apart=difference: [("", lambda: gpu.within("", apart, 1.0))],
        )
        with pytest.raises(SystemExit) as ended:
            gpu.main("cpu", only=gpu.Section.CORRECTNESS)
        assert ended.value.code == code
    assert capsys.readouterr().out.count("| what | number | unit | goal |") == 2


def test_a_device_that_is_not_there_is_a_sentence(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        SystemExit, match=r"--device cuda: torch finds no GPU here\. Try the script with --device cpu\."
    ):
        gpu.main("cuda")


def test_the_step_alone_reads_and_copies_its_minibatch_once(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = np.arange(24, dtype=np.float32).reshape(6, 4)
    drawn = Drawn([Window(clip, slice(start, start + 2), np.asarray(start), 2) for start in range(4)], 2)
    held, reads = gpu.Held(drawn.windows, drawn.frames, torch.device("cpu")), []
    read = Window.read
    monkeypatch.setattr(Window, "read", lambda window: reads.append(window) or read(window))
    for rows in (slice(0, 2), slice(2, 4), slice(0, 2)):
        share = held.read(rows)
        assert share.on(torch.device("cuda")) is share
        assert torch.equal(share.target, torch.arange(4)[rows])
    assert len(reads) == 4


def test_figures_of_all_classes_are_trained_on(gpu: ModuleType, tmp_path: Path) -> None:
    few, films = (gpu.Bench("cuda", tmp_path).clips(*each) for each in ((6, 1), (12, 2)))
    rows = [row.split(",") for row in few.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 1 + 6 * 6 and len({(label, group) for _, label, group in rows[1:]}) == 6 * 6
    assert len(films.read_text(encoding="utf-8").splitlines()) == 1 + 144


def test_in_exact_rows_no_number_is_rounded(gpu: ModuleType) -> None:
    from vidrnn.train.shares import encoding

    before = encoding.half_precision, torch.backends.cudnn.allow_tf32
    with gpu.exact(), encoding.half_precision(torch.device("cuda")):
        assert not torch.is_autocast_enabled("cuda") and not torch.backends.cudnn.allow_tf32
    assert (encoding.half_precision, torch.backends.cudnn.allow_tf32) == before
