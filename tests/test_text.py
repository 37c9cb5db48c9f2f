"""Text of others on its way out: nothing in it is obeyed, computed or hidden, and it can be read back."""

from __future__ import annotations

import csv
import io
import json
from html import unescape

import pytest

from vidrnn.text import caption, cell_text, json_line, one_line, table_cell, uncontrolled, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("walk left", "walk left"),
        ("läuft 走る 🏃", "läuft 走る 🏃"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x9b31m", r"\x9b31m"),
        ("one\nmodel: two", r"one\nmodel: two"),
        ("gpj.\u202e4pm", r"gpj.\u202e4pm"),
        ("di\u200bg\ufeff", r"di\u200bg\ufeff"),
        ("dig\u200d", r"dig\u200d"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
        ("\u3164", r"\u3164"),
        ("bytes \udcff", r"bytes \udcff"),
        ("", ""),
    ],
)
def test_the_terminal_gets_nothing_that_it_obeys_and_nothing_hidden(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_line_ends_of_sentences_stay() -> None:
    assert visible("one\ntwo\r\x07", lines=True) == "one\ntwo\\r\\x07"


LABELS = [
    *("=1+1", "+dig", "-rest", "@SUM(A1)", "\uff1dA1", "'=1", "''-2", "'tis", "dig", "a=b", "", "5", "-5", "'", "\t=1"),
    *("walk, left", 'the "best"', "two\nlines", "می\u200cخواهم"),
]


@pytest.mark.parametrize("label", LABELS)
def test_a_cell_is_never_computed_and_gives_its_text_back(label: str) -> None:
    text = io.StringIO()
    csv.writer(text).writerow([table_cell(label)])
    ((cell,),) = csv.reader(io.StringIO(text.getvalue(), newline=""))
    assert not cell or cell[0] not in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
    assert cell_text(cell) == label


def test_numbers_stay_numbers_and_controls_become_codes_in_a_cell() -> None:
    assert [table_cell(value) for value in (-1, -0.5, True, None)] == [-1, -0.5, True, None]
    assert table_cell("\x1b[2Jdig\x00") == r"\x1b[2Jdig\x00"
    assert uncontrolled("tab\tand\nline \u202e") == "tab\tand\nline \u202e"


@pytest.mark.parametrize("web", [True, False])
@pytest.mark.parametrize(
    "label", ["<script>alert(1)</script>", "a --> b", "{\\an8}top", "A & B", "&lt;b&gt;", "&#60;i>", "plain"]
)
def test_a_caption_holds_no_markup_and_gives_its_text_back(label: str, web: bool) -> None:
    shown = caption(label, web=web)
    assert "<" not in shown and ">" not in shown and (web or "{\\" not in shown)
    assert unescape(shown) == label


def test_only_what_looks_like_an_entity_is_escaped_where_players_may_not_know_entities() -> None:
    assert caption("A & B", web=False) == "A & B"
    assert caption("A & B", web=True) == "A &amp; B"
    assert one_line(" a\r\n\tb\x1b ") == r"a b\x1b"


def test_json_says_the_same_with_nothing_that_a_terminal_obeys() -> None:
    value = {"label": "\x9b31m läuft \u202e\U000e0041 \udcff 🏃", "n": -1.5}
    line = json_line(value)
    assert json.loads(line) == value
    assert visible(line) == line
    assert "läuft" in line and "🏃" in line
