"""Engines: every item has an outcome, work goes on side by side, and nobody works for a master who is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch.test_batch import EVERY_ENGINE, engine_named

from vidrnn.batch.engines import local
from vidrnn.batch.engines.base import Finished, Item, Job, Lost, Outcome


def job(**settings: Any) -> Job:
    return Job("readers:opened_for_numbers", settings)


def results(found: list[Outcome]) -> list[dict[str, Any]]:
    return [outcome.result for outcome in found if isinstance(outcome, Finished)]


@EVERY_ENGINE
def test_what_was_finished_in_time_is_not_lost_because_nobody_asked(engine: str) -> None:
    items: list[Item] = [{"seconds": 0.2}, {"seconds": 0.4}]
    journey = engine_named(engine).run(job(), items, [30, 1])
    found = [next(journey)]
    time.sleep(1.2)
    found += journey
    assert {outcome.index for outcome in found if isinstance(outcome, Finished)} == {0, 1}


@EVERY_ENGINE
def test_an_item_may_take_years(engine: str) -> None:
    assert len(results(list(engine_named(engine).run(job(), [{}], [1e8])))) == 1


@EVERY_ENGINE
def test_an_item_that_takes_too_long_is_lost(engine: str) -> None:
    found = list(engine_named(engine).run(job(), [{"seconds": 100}, {}], [1, 30]))
    assert [(outcome.index, outcome.reason) for outcome in found if isinstance(outcome, Lost)] == [
        (0, "given up, since it took more than 1 seconds. Give it more: --timeout SECONDS.")
    ]
    assert len(results(found)) == 1


@EVERY_ENGINE
def test_a_process_that_breaks_down_is_reported_once_and_not_among_the_results(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (lost,) = engine_named(engine).run(job(), [{"killed": True}], [60])
    assert isinstance(lost, Lost)
    assert lost.reason.startswith("the process that read it was ended") and "as systems do when memory" in lost.reason
    time.sleep(0 if engine == "local" else 3)  # a cluster tells of it by itself, and late
    assert capsys.readouterr().out == "", "standard output is for results"


@EVERY_ENGINE
def test_as_many_work_at_once_as_there_are_jobs(engine: str, tmp_path: Path) -> None:
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    items: list[Item] = [{"touches": one, "awaits": two}, {"touches": two, "awaits": one}]
    found = results(list(engine_named(engine, jobs=2).run(job(), items, [60, 60])))
    assert [result["met"] for result in found] == [True, True]


def test_ctrl_c_in_the_terminal_does_not_reach_those_who_work() -> None:
    (found,) = results(list(engine_named("local").run(job(), [{}], [60])))
    assert found["session"] != os.getsid(0)


def test_what_libraries_print_is_no_answer_and_their_input_is_empty() -> None:
    items: list[Item] = [{"prints": True}, {"reads": True}, {}]
    found = results(list(engine_named("local", jobs=1).run(job(), items, [60] * 3)))
    assert [one.get("read", one.get("met")) for one in found] == [False, "", False]


def test_a_process_that_closes_its_output_and_stays_costs_its_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_END_SECONDS", 0.1)
    (lost,) = engine_named("local").run(job(), [{"closes": True}], [60])
    assert lost == Lost(0, "the process that read it closed its output.")


@pytest.mark.parametrize(
    ("code", "system", "clause"),
    [
        (0xC0000005, "nt", "broke down at a wrong address in memory (access violation)"),
        (0xC0000017, "nt", "was ended by Windows, as systems do when memory runs out"),
        (0xC00000FD, "nt", "ran out of stack"),
        (3, "nt", "called abort"),
        (3, "posix", "ended by itself with the code 3"),
        (0xC0001234, "nt", "ended by itself with the code 0xc0001234"),
        (-9, "posix", "was ended by SIGKILL, as systems do when memory runs out"),
        (-11, "posix", "was ended by SIGSEGV"),
        (-99, "posix", "was ended by signal 99"),
    ],
)
def test_an_exit_code_is_explained_as_its_system_means_it(code: int, system: str, clause: str) -> None:
    assert local._describe_exit(code, system) == clause


_PROGRAM = """
import sys
from batch.test_engines import job
from vidrnn.batch.engines.local import Local
list(Local(1).run(job(tells_where=sys.argv[1]), [{"seconds": 60}], [60]))
"""


def test_who_works_ends_when_the_one_who_gives_the_work_is_killed(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)])
    giver = subprocess.Popen([sys.executable, "-c", _PROGRAM, tmp_path], env={**os.environ, "PYTHONPATH": path})
    _until(lambda: any(tmp_path.iterdir()))
    worker = int(next(tmp_path.iterdir()).name)
    assert _lives(worker)
    giver.kill()
    giver.wait()
    _until(lambda: not _lives(worker))


def _lives(process: int) -> bool:
    """Whether a process is at work; one that has ended, and that nobody has asked about yet, is not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _until(true: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + 20, "it was waited for in vain"
        time.sleep(0.01)
