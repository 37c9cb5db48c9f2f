"""Whether the files of a model are as vidrnn wrote them, and belong together. Reads no weights and loads no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from vidrnn.errors import ModelError
from vidrnn.sums import EMPTY_SEAL, SEAL_KEY, is_whole, seal_in

WEIGHTS_SEAL_KEY = "vidrnn.weights"
"""Of the metadata of a portable file: the seal of the weights that it was made from."""
_HEAD_BYTES = 1 << 16
_WEIGHTS_NAME = "model.safetensors"


def with_seal(text: str) -> str:
    """A header, a JSON object, with an empty seal as its first entry. Readers ignore entries that they do not know."""
    return f'{{"{SEAL_KEY}":"{EMPTY_SEAL}",{text.removeprefix("{")}'


def seal_of(weights: Path) -> str:
    """The digits of the seal of a weights file; empty where there is no such file or seal."""
    with suppress(OSError), weights.open("rb") as opened:
        return seal_in(opened.read(_HEAD_BYTES))
    return ""


def check_whole(file: Path, companions: Sequence[Path] = ()) -> None:
    """Refuse a file of a model that is not as it was written.

    Raises:
        ModelError: it, or a file that belongs to it, was damaged or changed, or cannot be read.
    """
    try:
        whole = is_whole(file, companions)
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror or error}). Copy the model again.") from None
    if not whole:
        names = " or ".join(each.name for each in (file, *companions))
        raise ModelError(
            f"{file}: damaged: {names} is not as vidrnn wrote it (its checksum is another one). Copy the model again."
        )


def check_partner(file: Path, metadata: Mapping[str, str]) -> None:
    """Refuse a portable file beside the weights of another model.

    Raises:
        ModelError: the weights beside it are not those that it was made from.
    """
    made_from, beside = metadata.get(WEIGHTS_SEAL_KEY, ""), file.with_name(_WEIGHTS_NAME)
    there = seal_of(beside) if made_from else ""
    if there and there != made_from:
        raise ModelError(
            f"{file}: belongs to another model than {beside.name} beside it, so one of the two was exchanged. Bring "
            f"the right file back, or make this one anew: vidrnn export {file.parent}"
        )
