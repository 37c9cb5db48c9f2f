"""The words that people use for the parts of a split, and the folders that stand for parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from vidrnn.errors import DataError
from vidrnn.values import Part

PART_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), Part.TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), Part.VAL),
    **dict.fromkeys(("test", "testing", "tst"), Part.TEST),
}
_NUMBERED_PART = re.compile(
    r"(fold|part|partition|split|set|subset|batch|chunk|shard|cv|k)s?[\W_]*(\d+|[a-z])", re.IGNORECASE
)
"""Names that split folders have beside train, val and test."""


def part_of_folder(name: str) -> Part | None:
    """The part that a folder's name tells, such as `train`, `videos_valid` or `TestSet`; None if it tells none."""
    words = re.findall(r"[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name))
    parts = {PART_WORDS[word] for each in words if (word := each.casefold()) in PART_WORDS}
    return parts.pop() if len(parts) == 1 else None


def split_of_folders(data: Path, inside: Mapping[str, AbstractSet[str]]) -> dict[str, Part] | None:
    """The part of each first-level folder; None if these folders are the classes.

    Args:
        data: the path of DATA, for errors.
        inside: the first-level folders with films, and the names of the folders with films in each.

    Raises:
        DataError: folders that look like parts of a split hold no class folders, or the part of one is not known.
    """
    exact = {name: PART_WORDS[word] for name in inside if (word := name.casefold()) in PART_WORDS}
    if inside and len(exact) == len(inside):
        if any(inside.values()):
            return exact
        raise DataError(
            f"{data}: {', '.join(sorted(map(str.casefold, inside)))} hold videos but no class folders; "
            "make a folder for each class in them, or give a CSV manifest with path,label,split."
        )
    shared = _shared(inside)
    if not shared:
        return None
    told = {name: part for name in inside if (part := part_of_folder(name)) is not None}
    if len(told) == len(inside) and len(set(told.values())) > 1:
        return told
    numbered = [name for name in inside if _NUMBERED_PART.fullmatch(name)]
    if exact or (told and len(set(told.values())) > 1) or len(numbered) == len(inside):
        unknown = sorted(set(inside) - set(told)) or sorted(inside)
        raise DataError(
            f"{data}: the folders {', '.join(sorted(inside))} each hold {' and '.join(shared[:3])}. These look like "
            f"classes, and the folders around them like parts of a split; which part {' and '.join(unknown[:3])} "
            f"{'is' if len(unknown) == 1 else 'are'}, the name does not tell. Call the folders train, val and test, or "
            "give a CSV manifest with path,label,split."
        )
    return None


def doubtful_classes(inside: Mapping[str, AbstractSet[str]]) -> str:
    """A sentence if the folders in the class folders may be the classes; empty if nothing speaks for it."""
    shared = [name for name in _shared(inside) if not re.search(r"\d", name)]
    if len(inside) < 2 or len(shared) < 2:
        return ""
    classes, names = sorted(inside), ", ".join(shared[:5])
    return (
        f"the classes are {', '.join(classes[:5])}; each of these folders holds the folders {names}. If those are the "
        "classes, give a CSV manifest with path,label"
    )


def _shared(inside: Mapping[str, AbstractSet[str]]) -> list[str]:
    """The names of the folders that every first-level folder holds, sorted."""
    sets = [set(names) for names in inside.values()]
    return sorted(set.intersection(*sets)) if len(sets) > 1 else []
