"""The examples do what they say."""

from __future__ import annotations

import csv
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import torch

import vidrnn
from vidrnn.config import LabelsConfig
from vidrnn.data.annotations import longest_overlap
from vidrnn.data.labelled_frames import read_frame_labelled
from vidrnn.data.listing.labelled import read_labelled
from vidrnn.nets.heads import HEADS
from vidrnn.values import Part
from vidrnn.video.reader import open_film

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
DAY, MOVES = ROOT / "sample_videos" / "a_day.webm", ROOT / "models" / "moves"


def loaded(name: str) -> ModuleType:
    """An example as a module, without running it."""
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and the table of heads look their module up
    spec.loader.exec_module(module)
    return module


def test_every_example_is_run_by_a_test() -> None:
    tested = Path(__file__).read_text(encoding="utf-8")
    assert all(f'loaded("{file.stem}")' in tested for file in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_the_first_lines_of_an_example_say_how_to_run_it(file: Path) -> None:
    assert f"    python examples/{file.name}" in "\n".join(file.read_text(encoding="utf-8").splitlines()[:5])


def test_the_stream_prints_the_timeline_of_predict(capsys: pytest.CaptureFixture[str]) -> None:
    loaded("stream").main(DAY, MOVES)
    *lines, last = capsys.readouterr().out.splitlines()
    expected = vidrnn.load(MOVES).predict(DAY)
    assert [line.split()[-1] for line in lines] == [segment.label for segment in expected.segments]
    starts = [float(line.split()[0]) for line in lines]
    assert starts == pytest.approx([segment.start_seconds for segment in expected.segments], abs=0.01)
    assert last == f"the whole video: {expected.label}, probability {expected.probability:.2f}"


def test_the_manifest_has_every_labelled_row_and_no_animal_in_two_parts(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    loaded("manifest_from_spreadsheet").main(EXAMPLES / "observations.csv", manifest)
    data = read_labelled(manifest)
    assert len(data.films) == 72 and not data.failures
    assert data.classes == ("pick-up", "put-down", "sit-down", "stand-up", "walk-left", "walk-right")
    parts = {
        animal: {film.part for film in data.films if film.group == animal} for animal in {f.group for f in data.films}
    }
    assert all(len(found) == 1 for found in parts.values())
    for part in Part:
        assert {film.label for film in data.films if film.part == part} == set(data.classes)


def test_the_recordings_have_labels_where_their_clips_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded("recordings").main(tmp_path, figures=2)
    assert capsys.readouterr().out.startswith("2 videos, 16 labels")
    data = read_frame_labelled(tmp_path / "labels.csv", LabelsConfig())
    assert len(data.films) == 2 and not data.failures
    for film in data.films:
        assert film.annotation is not None
        bouts = sorted(film.annotation.bouts, key=lambda bout: bout.start)
        assert {bout.label for bout in bouts} == {"pick-up", "put-down", "sit-down", "stand-up"}
        assert len(bouts) == 8 and all(1.5 < bout.end - bout.start < 3.0 for bout in bouts)
        with open_film(film.path) as opened:
            assert bouts[-1].end <= opened.facts().duration_seconds + 0.01
    overlapping = read_frame_labelled(tmp_path / "overlapping.csv", LabelsConfig())
    for film in overlapping.films:
        assert film.annotation is not None and longest_overlap(film.annotation.bouts) > 1.5
        assert {bout.label for bout in film.annotation.bouts} == {"chair", "object", "rise"}


def test_the_new_head_streams_and_learns_what_a_head_without_memory_cannot(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HEADS, "fading", "of the example")  # so that the table is afterwards as it was
    example = loaded("new_head")
    example.main()
    law, none, fading = capsys.readouterr().out.splitlines()
    assert float(law.split()[-3]) < 1e-5
    right = {line.split()[0]: float(line.split("first: ")[1].split()[0]) for line in (none, fading)}
    assert right["none"] < 0.6 and right["fading"] > 0.9


def test_the_new_output_counts_the_seconds_of_the_timeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded("new_output").main(DAY, MOVES, tmp_path)
    rows = list(csv.DictReader((tmp_path / "a_day.webm.budget.csv").open(encoding="utf-8")))
    segments = vidrnn.load(MOVES).predict(DAY).segments
    assert {row["behaviour"] for row in rows} == {segment.label for segment in segments}
    assert sum(int(row["bouts"]) for row in rows) == len(segments)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=0.01)
    assert "behaviour,bouts,seconds,share" in capsys.readouterr().out


# The doubling series


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return loaded("doubling_series")


def test_the_squared_loss_overflows_at_step_64(example: ModuleType) -> None:
    assert example.first_overflow(example.doubling()) == 64


def test_one_parameter_is_exact_and_the_naive_forecast_is_off_by_half(example: ModuleType) -> None:
    naive, fitted, nothing = example.without_network(example.doubling())
    assert naive.relative_error == 0.5
    assert fitted.forecaster.startswith("2 times") and fitted.relative_error == 0
    assert nothing.relative_error == 1 and nothing.train_loss < 1e-15 and nothing.test_loss < 0.05


@pytest.mark.slow
def test_networks_fail_on_raw_values_seem_to_do_well_on_the_futures_scale_and_learn_differences(
    example: ModuleType,
) -> None:
    found = example.doubling_results(example.doubling(), quick=True, seed=0)
    networks = [one for one in found if one.forecaster in example.CLASSICAL]
    by_view = {view: [one for one in networks if one.view == view] for view in {one.view for one in networks}}
    assert {len(results) for results in by_view.values()} == {3}
    for one in by_view["raw"]:
        assert one.train_loss == torch.inf and one.moved == 0 and one.relative_error > 0.99
    for one in by_view["raw, steps to 63"]:
        assert one.train_loss < torch.inf and one.moved > 0.1 and one.relative_error > 0.99
    for one in by_view["divided by the last value"]:
        assert one.train_loss < 1e-3 and one.test_loss < 0.1 and one.relative_error > 1
    for one in by_view["log differences"]:
        assert one.relative_error < 0.05
    assert found == example.doubling_results(example.doubling(), quick=True, seed=0)


@pytest.mark.slow
def test_the_first_value_is_recalled_by_memory_and_attention_together(example: ModuleType) -> None:
    found = {(one.head, one.readout): one.accuracy for one in example.recall_results(quick=True, seed=0)}
    assert found["lstm", "attention"] >= 0.95
    assert found["lstm", "last"] < 0.65 and max(found["none", "attention"], found["none", "last"]) < 0.35


def test_everything_is_printed(
    example: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "doubling_results", lambda series, *_: list(example.without_network(series)))
    monkeypatch.setattr(example, "recall_results", lambda *_: [example.Recall("gru", "attention", 0.98, 100)])
    example.main(quick=True)
    printed = capsys.readouterr().out
    assert "y_64 is infinite" in printed and "needs no network" in printed and "0.98 (100)" in printed
