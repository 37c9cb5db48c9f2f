"""The memory of a run's search: a resumed training does not search again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidrnn.atomic import write_text
from vidrnn.config import RunConfig
from vidrnn.errors import RunError
from vidrnn.events import RunEvent
from vidrnn.model.checkpoint import CHECKPOINT_FORMAT, check_format
from vidrnn.plain_json import json_text
from vidrnn.sums import read_summed, with_sum
from vidrnn.train.encoder_choice import encoder_hash
from vidrnn.train.run import Request, Run
from vidrnn.train.search.choice import Found

Search = Callable[[], Generator[RunEvent, None, Found]]


def recall_or_search(
    request: Request, config: RunConfig, run: Run | None, search: Search
) -> Generator[RunEvent, None, Found]:
    """The settings of a run: those that it began with, if it is resumed and they were found, else those of a search.

    Args:
        request: of the training.
        config: the settings with the paths of today.
        run: the run, which is opened; None for a fold, which remembers nothing.
        search: finds the settings.

    Raises:
        RunError: the file of `--encoder` is another one than that which the run began with.
    """
    memory = run.checkpoint / "choice.json" if run else None
    if run and memory and request.resume and memory.exists():
        run.open(request)
        before = _read(memory)
        check_format(before.get("format", CHECKPOINT_FORMAT), CHECKPOINT_FORMAT, memory)
        _refuse_another_graph(before.get("graph", ""), config, run.folder)
        found = Found.from_json(before, str(memory))
        return replace(found, config=found.config.with_paths_of(config))
    found = yield from search()
    if found.report.tables:
        yield found.report
    if run and memory:
        run.open(request)
        about = {"format": CHECKPOINT_FORMAT, "graph": encoder_hash(found.config)}
        write_text(memory, with_sum(json_text({**about, **found.as_json()}, ascii_only=True)))
    return found


def _read(memory: Path) -> dict[str, Any]:
    """The memory of a run.

    Raises:
        RunError: it is damaged.
    """
    try:
        return read_summed(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RunError(f"{memory}: damaged. Start anew with --overwrite.") from None


def _refuse_another_graph(before: str, config: RunConfig, run: Path) -> None:
    if encoder_hash(config) != before:
        raise RunError(
            f"{run}: {config.encoder_file} is not the encoder that this run began with. Bring that file back, or train "
            "anew."
        )
