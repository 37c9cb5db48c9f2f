"""What people see and what machines get: one object on standard output, and everything else beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from vidrnn.batch.batch import FilmDone
from vidrnn.cli.views.base import View, clock, show_error
from vidrnn.cli.views.facts import show_film, show_model
from vidrnn.cli.views.predicting import BatchView, PredictionView
from vidrnn.cli.views.reports import as_table
from vidrnn.cli.views.training import TrainingView
from vidrnn.errors import DataError
from vidrnn.events import Done, EpochDone, LeftOut, Note, Progress
from vidrnn.model.header import find_weights, read_header
from vidrnn.outputs.base import prediction_json
from vidrnn.tables import Report, Table
from vidrnn.values import (
    AnswerSpec,
    Candidate,
    DecisionRule,
    FilmFacts,
    FilmFailure,
    FilmPrediction,
    Kind,
    Segment,
    Size,
)

Captured = pytest.CaptureFixture[str]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLUMNS", "500")
    monkeypatch.setenv("TERM", "dumb")
    return


def film(name: str = "film.mp4", *, segments: int = 1, notes: tuple[str, ...] = ()) -> FilmPrediction:
    stretches = tuple(Segment(60.0 * i, 60.0 * (i + 1), "sit", 0.5) for i in range(segments))
    top = (Candidate("sit [down]", 0.875),)
    return FilmPrediction(Path(name), stretches, 60.0 * segments, 1500, "sit [down]", 0.875, top, notes=notes)


def frames(*segments: Segment, anomaly: float = 0.125) -> FilmPrediction:
    """The answer of a model that gives no label of the whole film."""
    return FilmPrediction(Path("day.mp4"), segments, 60.0, 1500, measures={"anomaly": anomaly, "mse": 0.00012345})


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0:00.0"),
        (8.25, "0:08.2"),
        (59.96, "1:00.0"),
        (83.4, "1:23.4"),
        (3599.99, "1:00:00.0"),
        (7384.5, "2:03:04.5"),
        (-0.01, "0:00.0"),
    ],
)
def test_seconds_are_written_as_people_write_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_an_error_goes_to_standard_error_with_its_brackets(capsys: Captured) -> None:
    show_error(DataError("films/[a].mp4: nothing in it."))
    out, err = capsys.readouterr()
    assert out == ""
    assert "films/[a].mp4: nothing in it." in err


def test_an_answer_is_a_line_and_several_stretches_are_a_timeline(capsys: Captured) -> None:
    with PredictionView("runs/a", 1, as_json=False) as view:
        view.show(film())
    out, err = capsys.readouterr()
    assert "runs/a" in err
    assert "film.mp4  1:00.0  1,500 frames, 25 fps  sit [down]  0.88" in out
    assert " to " not in out
    with PredictionView("runs/a", 1, as_json=False) as view:
        view.show(film(segments=2, notes=("Cut short after 1500 frames.",)))
    out, _ = capsys.readouterr()
    assert "0:00.0 to 1:00.0 sit 0.50" in " ".join(out.split())
    assert "1:00.0 to 2:00.0 sit 0.50" in " ".join(out.split())
    assert "Cut short" in out


def test_a_film_without_length_has_an_answer_too(capsys: Captured) -> None:
    still = FilmPrediction(Path("a.png"), (), 0.0, 1, "sit", 0.5, (Candidate("sit", 0.5),))
    with PredictionView("m", 1, as_json=False) as view:
        view.show(still)
    assert "a.png" in capsys.readouterr().out


def test_an_answer_without_a_label_is_its_measures_and_its_timeline(capsys: Captured) -> None:
    with PredictionView("m", 2, as_json=False) as view:
        view.show(frames(Segment(1.0, 2.5, "anomaly", 0.912), anomaly=0.912))
        view.show(frames(anomaly=float("nan")))
    first, segment, second, nothing = capsys.readouterr().out.splitlines()
    assert first == "day.mp4  1:00.0  1,500 frames, 25 fps  anomaly 0.912  mse 0.000123"
    assert segment.split() == ["0:01.0", "to", "0:02.5", "anomaly", "0.91"]
    assert second == "day.mp4  1:00.0  1,500 frames, 25 fps  mse 0.000123"
    assert nothing == " no segments"


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.usefixtures("_terminal")
@pytest.mark.parametrize(("films", "shown"), [(1, True), (2, False)])
def test_a_bar_shows_how_much_of_a_single_film_has_been_read(capsys: Captured, films: int, shown: bool) -> None:
    with PredictionView("m", films, as_json=False) as view:
        view.going(312.4, 1800.0)
    assert ("312/1,800" in capsys.readouterr().out) is shown


@pytest.mark.usefixtures("_terminal")
def test_the_time_left_goes_by_bytes_and_not_by_films(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    view = BatchView("m", {"before": 50, "a": 100, "b": 300}, as_json=False)
    view.show(FilmDone({"path": "before", "frames": 9}, before=True))
    now[0] += 10
    view.show(FilmDone({"path": "a", "frames": 250}, before=False))
    view.end(Path("summary.csv"))
    assert view._pace() == "25 frames/s  0:30.0 left"
    assert "2 videos, 1 done before, 0 failed; 250 frames in 10.0 s" in capsys.readouterr().out


def test_the_totals_count_the_videos_that_the_summary_has_notes_on(capsys: Captured) -> None:
    with BatchView("m", {"a": 1, "b": 1, "c": 1}, as_json=False) as view:
        view.show(FilmDone({"path": "a", "frames": 9, "notes": ["Frames are lost."]}, before=True))
        view.show(FilmDone({"path": "b", "frames": 9, "notes": []}, before=False))
        view.show(FilmDone({"path": "c", "error": "is empty."}, before=False))
        view.end(Path("summary.csv"))
    assert "3 videos, 1 done before, 1 failed, 1 with notes; 9 frames in" in capsys.readouterr().out


def test_where_no_bar_can_move_lines_show_the_progress_though_no_film_ends(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidrnn.cli.views.predicting._SECONDS_BETWEEN_LINES", 0.01)
    with BatchView("m", {"a": 1, "b": 1}, as_json=False) as view:
        until = time.monotonic() + 10
        shown = ""
        while "of 2 videos" not in shown and time.monotonic() < until:
            time.sleep(0.01)
            shown += capsys.readouterr().err
        view.end(Path("summary.csv"))
    assert "0 of 2 videos done  0 frames/s" in shown


def test_a_stopped_folder_shows_what_is_done_and_how_to_continue(capsys: Captured) -> None:
    with pytest.raises(KeyboardInterrupt), BatchView("m", {"a": 1, "b": 1}, as_json=False) as view:
        view.show(FilmDone({"path": "a", "frames": 9}, before=False))
        raise KeyboardInterrupt
    assert "Stopped: 1 of 2 videos done. The same command continues." in capsys.readouterr().err


def test_json_is_one_object_though_films_failed(capsys: Captured) -> None:
    with PredictionView("m", 2, as_json=True) as view:
        view.show(film("é.mp4"))
        view.show(FilmFailure(Path("bad.mp4"), "is empty."))
    out, err = capsys.readouterr()
    given = json.loads(out)
    assert [one["path"] for one in given["films"]] == ["é.mp4", "bad.mp4"]
    assert given["films"][1] == {"path": "bad.mp4", "error": "is empty."}
    assert "é" in out, "names stay readable"
    assert "bad.mp4" in err
    assert view.failed == 1


def test_the_json_of_a_film_is_plain_values() -> None:
    given = prediction_json("film.mp4", film(notes=("odd",)))
    assert json.loads(json.dumps(given)) == {
        "path": "film.mp4",
        "label": "sit [down]",
        "probability": 0.875,
        "top": [{"label": "sit [down]", "probability": 0.875}],
        "segments": [{"start_seconds": 0.0, "end_seconds": 60.0, "label": "sit", "probability": 0.5}],
        "duration_seconds": 60.0,
        "frames": 1500,
        "notes": ["odd"],
    }


def test_the_json_of_a_film_without_a_label_has_its_measures() -> None:
    given = prediction_json("a/day.mp4", frames(anomaly=float("nan")))
    assert json.loads(json.dumps(given, allow_nan=False)) == {
        "path": "a/day.mp4",
        "anomaly": None,
        "mse": 0.0001234,
        "segments": [],
        "duration_seconds": 60.0,
        "frames": 1500,
        "notes": [],
    }


def test_films_that_were_finished_are_printed_as_json_when_the_work_was_stopped(capsys: Captured) -> None:
    with pytest.raises(KeyboardInterrupt), PredictionView("m", 2, as_json=True) as view:
        view.show(film())
        raise KeyboardInterrupt
    assert len(json.loads(capsys.readouterr().out)["films"]) == 1


def test_nothing_is_printed_as_json_when_the_work_failed(capsys: Captured) -> None:
    with pytest.raises(OSError), PredictionView("m", 2, as_json=True) as view:
        view.show(film())
        raise OSError
    assert capsys.readouterr().out == ""


def test_a_training_is_shown_event_by_event(capsys: Captured) -> None:
    measures = {"acc": 0.75, "MSE of a pixel": 0.0012}
    table = Table(("accuracy", "val"), (("frames [shuffled]", "0.500"),))
    sentences = ("test: accuracy 0.900.", "Most confused: sit [down] with stand.")
    events = [
        Note("12 clips [of 2 classes]"),
        Progress("features", 3, 12, 400),
        LeftOut(tuple(FilmFailure(Path(f"{i}.mp4"), "is empty.") for i in range(8))),
        EpochDone("model", 3, 30, 0.5, 0.6, measures, 3, 1.25),
        EpochDone("trial of small", 4, None, 0.5, 0.6, measures, 3, 1.25),
        Report(tables=(table,), sentences=("Time helps.",), notes=("A remark.",)),
        Done(Path("runs/a/model"), sentences, 61.2, stopped=True),
    ]
    with TrainingView() as view:
        for event in events:
            view.show(event)
    out = capsys.readouterr().out
    for piece in (
        "12 clips [of 2 classes]",
        "8 videos left out, see left_out.csv",
        "0.mp4: is empty.",
        "epoch  3/30  loss 0.500  val loss 0.600 acc 0.750 MSE of a pixel 1.20e-03  1.2 s  best\n",
        "epoch  4  loss",
        "1.2 s  best 3\n",
        "trial of small",
        "Time helps.",
        "A remark.",
        "frames [shuffled]",
        "Stopped. The best model so far is saved.",
        "test: accuracy 0.900.",
        "Most confused: sit [down] with stand.",
        "model: runs/a/model     next: vidrnn predict VIDEO     61 s in all",
    ):
        assert piece in out
    assert "7.mp4" not in out, "many reasons are for the file, not for the screen"


def test_what_is_odd_about_a_film_is_shown(capsys: Captured) -> None:
    facts = FilmFacts(
        Path("[a].mp4"), Size(240, 320), "h264", 50, 1.0, 2.96, 2.0, 90, 51, 24.0, ("Shown turned by 90 degrees.",)
    )
    show_film(facts, as_json=False)
    out = capsys.readouterr().out
    for piece in ("[a].mp4", "320x240", "50 (measured; the file claims 51)", "0:02.0", "25.000", "90 degrees", "odd:"):
        assert piece in out
    show_film(facts, as_json=True)
    given = json.loads(capsys.readouterr().out)
    assert (given["size"], given["fps"]) == ({"height": 240, "width": 320}, 25.0)


@pytest.mark.parametrize(
    ("kind", "background", "together"),
    [
        ("one", "none", "one behaviour; the background is none"),
        ("one", None, "one behaviour; no class is the background"),
        ("several", None, "no behaviour, one, or several"),
    ],
)
@pytest.mark.parametrize(
    ("rule", "reads"),
    [
        (DecisionRule(direction="causal"), "forward only: it can answer a camera at once"),
        (DecisionRule(direction="both"), "both ways: an answer depends on later frames too"),
    ],
)
def test_a_model_of_labels_says_what_holds_together_and_which_way_it_reads(
    kind: Kind, background: str | None, together: str, rule: DecisionRule, reads: str, capsys: Captured
) -> None:
    header = read_header(find_weights(ROOT / "models" / "moves"))
    answer = AnswerSpec("label", kind, "frame", ("dig", "none"), background)
    show_model(header.model_copy(update={"answer": answer, "decision": rule}), "model", as_json=False)
    rows = dict(line.strip().split("  ", 1) for line in capsys.readouterr().out.splitlines()[1:])
    assert rows["at each frame"].strip() == together
    assert rows["reads"].strip() == reads


def test_a_model_of_clips_says_nothing_of_frames(capsys: Captured) -> None:
    show_model(read_header(find_weights(ROOT / "models" / "moves")), "moves", as_json=False)
    shown = capsys.readouterr().out
    assert "at each frame" not in shown and "reads" not in shown


def test_no_number_of_a_table_is_cut_on_a_narrow_screen() -> None:
    name = "mobilenet_v2 +change +difference > a head with a long name"
    table = Table(("tried", "training", "accuracy", "95 % interval"), ((name, "17 epochs", "0.268", "0.25 to 0.29"),))
    console = Console(width=60, file=StringIO())
    console.print(as_table(table))
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert all(each in text for each in ("17 epochs", "0.268", "0.25 to 0.29")) and "…" not in text


NASTY = ":smile: [bold]x\x1b[31m\u202e.mp4\nmodel: ok"
SHOWN = r":smile: [bold]x\x1b[31m\u202e.mp4\nmodel: ok"


def test_names_of_others_are_shown_and_not_obeyed(capsys: Captured) -> None:
    prediction = FilmPrediction(
        Path(NASTY), (Segment(0, 1, NASTY, 0.5), Segment(1, 2, "sit", 0.5)), 2.0, 50, NASTY, 0.5, notes=(NASTY,)
    )
    with PredictionView(NASTY, 1, as_json=False) as view:
        view.show(prediction)
        view.show(FilmFailure(Path(NASTY), NASTY))
    header = read_header(find_weights(ROOT / "models" / "moves"))
    answer = AnswerSpec("classify", "one", "clip", (NASTY, "sit"))
    show_model(header.model_copy(update={"answer": answer}), NASTY, as_json=False)
    show_film(FilmFacts(Path("a"), Size(1, 1), NASTY, 1, 0.0, 0.0, 0.1, 0, 1, 1.0, (NASTY,)), as_json=False)
    with TrainingView() as training:
        training.show(Note(NASTY))
        training.show(Report(title=NASTY, tables=(Table((NASTY,), ((NASTY,),)),), notes=(NASTY,)))
    out, err = capsys.readouterr()
    assert out.count(SHOWN) == 15 and err.count(SHOWN) == 1
    show_error(DataError(f"{NASTY[:-10]}: is damaged.\nTry: another"))
    err += capsys.readouterr().err
    assert "is damaged." in err and ": another" in err
    assert not {"\x1b", "\u202e", "😄"} & {*out, *err}


def test_json_on_the_screen_holds_nothing_that_a_terminal_obeys(capsys: Captured) -> None:
    with PredictionView("m", 1, as_json=True) as view:
        view.show(replace(film(), path=Path("\x9b31m\u202e.mp4")))
    out = capsys.readouterr().out
    assert json.loads(out)["films"][0]["path"] == "\x9b31m\u202e.mp4"
    assert not {"\x9b", "\u202e"} & {*out}


# --- the line of progress --------------------------------------------------------------------------------------------


def drawn(view: View, width: int = 80) -> list[str]:
    """The lines of progress as a terminal of that width shows them."""
    text = StringIO()
    Console(width=width, file=text, force_terminal=True, color_system=None).print(view._bars.get_renderable())
    return [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("stage", "done", "total", "extra"),
    [
        ("decoding", 3, 12, "14 frames"),
        ("trying mobilenet_v2 (imagenet_v2), difference over 0.1 s", 1234, 12345, ""),
        ("features", 98_765, 123_456, "12,345,678 frames"),
        ("seconds of the video", 7, None, ""),
        ("writing model.onnx", 0, 1, ""),
    ],
)
def test_a_line_of_progress_fits_into_80_letters(stage: str, done: int, total: int | None, extra: str) -> None:
    view = View()
    view.step(stage, done, total, extra)
    (line,) = drawn(view)
    assert len(line) <= 80
    assert line.startswith(stage[:20])
    if total != 1:
        assert (f"{done:,}/{total:,}" if total else f"{done:,}") in line


def test_the_time_that_is_left_is_known_from_the_first_step_on() -> None:
    view = View()
    view.step("epochs", 0, 4)
    assert "left" not in drawn(view)[0]
    task = view._bars.tasks[0]
    assert task.start_time is not None
    task.start_time -= 100
    view.step("epochs", 1, 4)
    assert drawn(view)[0].endswith("5:00 left")
    view.step("epochs", 4, 4)
    assert "left" not in drawn(view)[0]


def test_a_bar_goes_when_its_work_has_ended_and_stays_while_it_goes_on() -> None:
    view = View()
    for done, total, stays in ((3, 12, True), (12, 12, False), (0, 1, False)):
        view.step("decoding", done, total)
        view.settle()
        assert bool(view._bars.tasks) == stays
