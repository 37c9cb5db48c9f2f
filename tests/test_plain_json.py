"""JSON holds no NaN and no infinity, whoever writes it."""

from __future__ import annotations

import json
import math

from vidrnn.plain_json import json_text


def test_numbers_that_json_does_not_have_become_null_at_any_depth() -> None:
    value = {"a": [1.5, math.nan, {"b": (math.inf, -math.inf)}], "c": "NaN"}
    assert json.loads(json_text(value)) == {"a": [1.5, None, {"b": [None, None]}], "c": "NaN"}


def test_letters_are_written_as_they_are_unless_a_reader_wants_ascii() -> None:
    assert json_text({"ö": 1}) == '{"ö": 1}'
    assert json_text({"ö": 1}, ascii_only=True) == r'{"\u00f6": 1}'
