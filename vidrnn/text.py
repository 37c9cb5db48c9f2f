"""Text of others, such as names of files and classes, on its way out: to the terminal, a table, a caption or JSON.

A name may hold characters that a terminal obeys, that a spreadsheet computes or that a player of subtitles takes for
markup. Here they become text that people can see. This module knows no film and no console.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape
from typing import Any

from vidrnn.plain_json import json_text

_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode: controls, format characters (which turn the direction of text, among others), halves of
characters, and separators of lines."""
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters that show nothing."""
_JOINERS = frozenset("\u200c\u200d")
"""Persian, Hindi and pictograms need them. After a letter of ASCII they only hide that two names differ."""
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""The start of a cell that a spreadsheet computes, and any number of apostrophes before it: CSV injection in OWASP."""
_ENTITY = re.compile(r"&(?=#?\w+;)")


def visible(text: str, *, lines: bool = False) -> str:
    """The text with each character that a terminal obeys or that nobody sees as its code, such as `\\x1b`.

    `lines`: line ends stay, which is right for sentences of vidrnn and wrong for names.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char == "\n" and lines else _code(char) if _hides(char, text[place - 1 : place]) else char
        for place, char in enumerate(text)
    )


def uncontrolled(text: str) -> str:
    """The text for a file: with the codes of control characters, other than tabs and line ends, in their place."""
    if text.isprintable():
        return text
    return "".join(
        _code(char) if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\t\r\n" else char for char in text
    )


def table_cell(value: Any) -> Any:
    """A value for a cell of a CSV file. A text that a spreadsheet would compute gets an apostrophe before it.

    Numbers stay as they are. `cell_text` takes the apostrophe away.
    """
    if not isinstance(value, str):
        return value
    text = uncontrolled(value)
    return f"'{text}" if _FORMULA.match(text) else text


def cell_text(cell: str) -> str:
    """The text of a cell that `table_cell` wrote. A cell without its apostrophe is given back as it is."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def one_line(text: str) -> str:
    """The text in one line, with single spaces and the codes of control characters."""
    return uncontrolled(" ".join(text.split()))


def caption(text: str, *, web: bool) -> str:
    """A line of text for subtitles: no tag, no arrow and no command of a player is left in it.

    `html.unescape` gives the text back.

    Args:
        text: what the caption is to show, see `one_line`.
        web: for WebVTT, where every `&` begins an entity. In SubRip only some players know entities, so an `&` stays
            where nobody can take it for one.
    """
    if web:
        return escape(text, quote=False)
    shown = _ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace("{\\", "&#123;\\")


def json_line(value: Any) -> str:
    """One line of JSON. Letters stay as they are; characters that nobody sees, and halves of characters, are escaped.

    A reader of JSON gets the same text.
    """
    return seen_json(json_text(value))


def seen_json(line: str) -> str:
    """A line of JSON with the characters that nobody sees as escapes, which mean the same."""
    if line.isprintable() and _BLANKS.isdisjoint(line):
        return line
    return "".join(json_text(char, ascii_only=True)[1:-1] if _hides(char, "") else char for char in line)


def _hides(char: str, before: str) -> bool:
    """Whether a character is to be seen as its code; `before` is the character before it, or empty."""
    if char in _JOINERS:
        return before.isascii()  # as the empty text is
    return char in _BLANKS or unicodedata.category(char) in _INVISIBLE


def _code(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
