"""The memory of a search: a resumed training does not search again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from vidrnn.config import RunConfig
from vidrnn.errors import RunError
from vidrnn.events import RunEvent
from vidrnn.train.encoder_choice import encoder_hash
from vidrnn.train.journal import Journal
from vidrnn.train.search.choice import Found

Search = Callable[[], Generator[RunEvent, None, Found]]
_CHOICE = "choice"


def recall_or_search(journal: Journal, config: RunConfig, search: Search) -> Generator[RunEvent, None, Found]:
    """The settings of a training: those that it began with, if it is resumed and they were found, else of a search.

    With several processes, the first one searches.

    Args:
        journal: of the training.
        config: the settings with the paths of today.
        search: finds the settings.

    Raises:
        RunError: the file of `--encoder` is another one than that which the run began with.
    """
    return (yield from journal.workers.led(_recall_or_search(journal, config, search)))


def _recall_or_search(journal: Journal, config: RunConfig, search: Search) -> Generator[RunEvent, None, Found]:
    before = journal.recall(_CHOICE)
    if before is not None:
        _refuse_another_graph(before["graph"], config)
        found = Found.from_json(before["found"], "the checkpoint")
        return replace(found, config=found.config.with_paths_of(config))
    found = yield from search()
    if found.report.tables:
        yield found.report
    journal.note(_CHOICE, {"graph": encoder_hash(found.config), "found": found.as_json()})
    return found


def _refuse_another_graph(before: str, config: RunConfig) -> None:
    if encoder_hash(config) != before:
        raise RunError(
            f"{config.encoder_file}: is not the encoder that this run began with. Bring that file back, or train anew."
        )
