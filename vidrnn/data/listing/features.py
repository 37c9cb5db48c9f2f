"""Files of features that stand for the films that DATA names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from vidrnn.data.films import find_listed_file
from vidrnn.video.features import FEATURES_SUFFIX, holds_features


def find_features(folder: Path, data: Path, text: str) -> Path | None:
    """The features of the film that is called `text` below `data`; None if there are none.

    A file of features stands for itself. Those of a/b.mp4 are a/b.npy, a/b.mp4.npy or b.npy below `folder`.
    """
    if holds_features(Path(text)) and (own := find_listed_file(data, text)) is not None:
        return own
    return next((found for name in _feature_names(text) if (found := find_listed_file(folder, name)) is not None), None)


def why_no_features(folder: Path, text: str) -> str:
    """A clause that names the files which are not there."""
    return f"{folder} holds none of {', '.join(_feature_names(text))}"


def _feature_names(text: str) -> list[str]:
    path = PurePosixPath(text.replace("\\", "/"))
    if holds_features(Path(text)):
        return list(dict.fromkeys([str(path), path.name]))
    names = [str(path.with_suffix(FEATURES_SUFFIX)), f"{path}{FEATURES_SUFFIX}", path.stem + FEATURES_SUFFIX]
    return list(dict.fromkeys(names))
