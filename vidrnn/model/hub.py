"""A model of the Hugging Face Hub becomes a model folder on this machine: `hf:user/name@revision`.

Only weights, portable files, JSON and the card are fetched, which hold no code. The Hub's own library keeps them in its
cache, so a model that was fetched once is there without a network too.
"""

from __future__ import annotations

import re
from pathlib import Path

from vidrnn.errors import ModelError, UsageError, first_line

_PREFIX = "hf:"
_ADDRESS = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_FILES = ("*.safetensors", "*.onnx", "*.json", "README.md")
"""What is fetched of a model."""


def local_model(path: Path) -> Path:
    """The folder of a model that a path names: fetched if it is an address of the Hub, else the path itself.

    Raises:
        UsageError: the address is none, or the Hub's library is not installed.
        ModelError: there is no such model, or it cannot be fetched.
    """
    text = path.as_posix()
    if not text.startswith(_PREFIX) or path.exists():
        return path
    address = _ADDRESS.fullmatch(text)
    if address is None:
        raise UsageError(f"{text}: is no address of a model. Say hf:USER/NAME, or hf:USER/NAME@REVISION.")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.utils import disable_progress_bars
    except ModuleNotFoundError:
        raise UsageError(
            f"{text}: needs the package huggingface_hub, which is not installed here. "
            'Install it: pip install "vidrnn[hub]".'
        ) from None
    disable_progress_bars()
    name, revision = address["name"], address["revision"]
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=[*_FILES], library_name="vidrnn"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{text}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Why a model was not fetched, and what to do."""
    kind = type(error).__name__
    if kind == "GatedRepoError":
        return "its owner lets only some people have it. Ask on its page, then log in: hf auth login."
    if kind == "RepositoryNotFoundError":
        return "the Hub has no such model, or it is private. Compare the name; for a private one: hf auth login."
    if kind == "RevisionNotFoundError":
        return "the model has no such revision. Name a branch, a tag or a commit of it."
    if kind in ("LocalEntryNotFoundError", "OfflineModeIsEnabled") or isinstance(error, ConnectionError):
        return "is not in the cache, and the Hub cannot be reached from here. Try again with a network."
    return f"cannot be fetched ({first_line(error)}). Try again, or download it and name its folder."
