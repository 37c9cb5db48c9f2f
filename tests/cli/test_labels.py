"""vidrnn labels: the labels of one tool in the format of another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from conftest import Command, make_film

from vidrnn.cli.labels import labels
from vidrnn.outputs import OUTPUTS
from vidrnn.outputs.base import EventOutput
from vidrnn.registry import load_attribute


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Labels of two films as a table; one of the films is there."""
    monkeypatch.setenv("VIDRNN_CACHE", str(tmp_path / "cache"))
    make_film(tmp_path / "a.avi", frames=25)
    table = tmp_path / "table.csv"
    table.write_text("path,start,end,label,subject\na.avi,0.2,0.6,dig,A\na.avi,0.7,0.8,rear,B\nb.avi,0.1,0.2,dig,A\n")
    return table


def test_labels_are_written_and_what_was_understood_is_said(vidrnn: Command, labelled: Path) -> None:
    (labelled.parent / "b.avi").write_bytes((labelled.parent / "a.avi").read_bytes())
    code, shown, _ = vidrnn("labels", labelled, "--to", "boris", "--films", labelled.parent, "--subject", "A")
    assert code == 0
    first, *_, file, counts = shown.splitlines()
    assert first.startswith("table.csv: read as path,start,end,label: seconds; 2 of 2 videos found")
    assert (file, counts) == (str(labelled.with_suffix(".boris")), "2 videos, 2 bouts of dig")
    assert json.loads(Path(file).read_text())["observations"].keys() == {"a.avi", "b.avi"}


def test_a_film_that_cannot_be_used_ends_with_1_and_json_names_it(vidrnn: Command, labelled: Path) -> None:
    out = labelled.parent / "new"
    command = ("labels", labelled, "--to", "srt", "--out", out)
    code, shown, _ = vidrnn(*command, "--json")
    assert code == 1
    record = json.loads(shown)
    (failure,) = record.pop("failures")
    assert failure["path"] == str(labelled.parent / "b.avi") and "there is no such video" in failure["error"]
    assert "the format holds no subjects: those of A, B are left out" in record.pop("notes")
    assert record == {"files": [str(out / "a.avi.srt")], "films": 1, "bouts": 2, "behaviours": ["dig", "rear"]}
    code, _, said = vidrnn(*command)
    assert code == 1 and "exists already" in said
    assert vidrnn(*command, "--overwrite")[0] == 1
    assert vidrnn("labels", labelled, "--to", "word")[0] == 2


def test_the_command_offers_every_format_that_holds_labels() -> None:
    offered = get_args(get_args(labels.__signature__.parameters["to"].annotation)[0])  # type: ignore[attr-defined]
    assert set(offered) == {name for name in OUTPUTS if issubclass(load_attribute(OUTPUTS[name]), EventOutput)}
