"""The one way in which vidrnn writes JSON: numbers that JSON does not have, NaN and the infinities, become null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_text(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """The JSON of a value, as strict readers take it.

    Args:
        value: mappings, lists, texts, numbers, truths and None.
        indent: spaces of each level; None writes one line.
        ascii_only: whether letters outside ASCII are written as escapes.
    """
    try:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    except ValueError:  # rare, so the walk through all values is only done then
        return json.dumps(with_nulls(value), ensure_ascii=ascii_only, indent=indent, allow_nan=False)


def with_nulls(value: Any) -> Any:
    """The same value with None in the place of each number that is not finite."""
    if isinstance(value, Mapping):
        return {key: with_nulls(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [with_nulls(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
