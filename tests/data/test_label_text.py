"""Text of label files that is odd or hostile: Excel's first line, open quotations, pipes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidrnn.data.label_text import beginning_of, header_of, read_rows, read_text
from vidrnn.errors import DataError


def test_the_first_line_of_excel_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("sep=;\r\npath;start,s;label\r\na.mp4;1;x\r\n")
    assert read_rows(path) == [(2, ["path", "start,s", "label"]), (3, ["a.mp4", "1", "x"])]
    assert header_of(beginning_of(path)) == ("path", "start,s", "label")


def test_an_open_quotation_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('path,start,end,label\na.mp4,1,2,"x\na.mp4,3,4,y\na.mp4,5,6,z"\n')
    with pytest.raises(DataError, match=r"line 2 opens a quotation that goes on to line 4"):
        read_rows(path)
    path.write_text('path,start,end,label\na.mp4,1,2,"x,\nhard to see"\n')
    assert read_rows(path)[1] == (2, ["a.mp4", "1", "2", "x,\nhard to see"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.csv")
    assert beginning_of(tmp_path / "labels.csv") == ""
    with pytest.raises(DataError, match="is no ordinary file"):
        read_text(tmp_path / "labels.csv")
