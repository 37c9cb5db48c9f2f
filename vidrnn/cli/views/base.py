"""The parts of every view: a console with a progress bar, notes, and errors on standard error."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text
from typing_extensions import override

from vidrnn.errors import VidrnnError
from vidrnn.events import LeftOut, Note, RunEvent
from vidrnn.events import Progress as Step
from vidrnn.text import visible

_SHOWN_FAILURES = 5
_BAR, _WORDS = 24, 30
"""Letters of a bar and of the words before it: a line of progress then fits into 80 letters."""
Result = TypeVar("Result")


class _Console(Console):
    """A console that prints no character that a terminal obeys, whatever text it is given."""

    @override
    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(visible(text, lines=True), **how)


def open_console(*, to_stderr: bool = False) -> Console:
    """A console for people. Names such as `:smile:` and numbers in text stay as they are."""
    return _Console(stderr=to_stderr, highlight=False, emoji=False)


def plain(text: str, *, lines: bool = False) -> str:
    """Text of others, such as a name, for a console: without markup, and with its invisible characters as codes.

    `lines`: its line ends stay.
    """
    return escape(visible(text, lines=lines))


def show_error(error: VidrnnError) -> None:
    """Print an error as a panel on standard error."""
    open_console(to_stderr=True).print(
        Panel(plain(str(error), lines=True), title="vidrnn", title_align="left", border_style="red")
    )


class _Count(ProgressColumn):
    """How many of how many are done, as far as both are known."""

    @override
    def render(self, task: Task) -> Text:
        done = f"{int(task.completed):,}" if task.completed or task.total else ""
        return Text(done if task.total is None else f"{done}/{int(task.total):,}", no_wrap=True)


class _Left(ProgressColumn):
    """The time that is left, as if all steps took the same. It is known from the first step on."""

    @override
    def render(self, task: Task) -> Text:
        if not task.total or not task.elapsed or not 0 < task.completed < task.total:
            return Text("")
        taken = task.fields["taken"]  # when the last step ended; the next one may be under way for long
        seconds = taken / task.completed * (task.total - task.completed) - (task.elapsed - taken)
        return Text(f"{clock(seconds).partition('.')[0]} left", no_wrap=True)


class View:
    """A console with a progress bar, which is there only while something goes on."""

    def __init__(self, *, to_stderr: bool = False, remaining: bool = True) -> None:
        """`remaining`: show the time that is left, as if all steps took the same."""
        self.console = open_console(to_stderr=to_stderr)
        self._bars = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=_WORDS)),
            BarColumn(bar_width=_BAR),
            _Count(),
            TextColumn("{task.fields[extra]}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            TimeElapsedColumn(),
            *([_Left(table_column=Column(no_wrap=True))] if remaining else []),
            console=open_console(to_stderr=True) if not self.console.is_terminal else self.console,
            transient=True,
        )
        self._bars.disable = not self._bars.console.is_terminal
        self._bar: tuple[str, TaskID] | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def step(self, stage: str, done: int, total: int | None, extra: str = "") -> None:
        """Move the bar of `stage`, which replaces that of the stage before.

        `total`: how many steps there are; None, or 1, for work in one piece, whose bar only shows that it goes on.
        """
        total = None if total == 1 else total
        if self._bar is None or self._bar[0] != stage or done < self._completed():
            if self._bar is not None:
                self._bars.remove_task(self._bar[1])
            self._bar = (stage, self._bars.add_task(stage, total=total, extra=extra, taken=0.0))
        task = next(one for one in self._bars.tasks if one.id == self._bar[1])
        taken = (task.elapsed or 0.0) if done != task.completed else task.fields["taken"]
        self._bars.update(task.id, completed=done, total=total, extra=extra, taken=taken)

    def _completed(self) -> float:
        """The steps that the bar shows as done. Work of the same name that begins anew gets a bar of its own."""
        return next((one.completed for one in self._bars.tasks if self._bar and one.id == self._bar[1]), 0.0)

    def settle(self) -> None:
        """Remove the bar of work that has ended, or that is in one piece and so ends with what is shown next."""
        if self._bar is not None:
            task = next(one for one in self._bars.tasks if one.id == self._bar[1])
            if task.total is None or task.completed >= task.total:
                self._bars.remove_task(task.id)
                self._bars.refresh()
                self._bar = None

    def note(self, note: Note) -> None:
        """A sentence, yellow if it is a warning."""
        self.settle()
        self.console.print(plain(note.text), style="yellow" if note.warning else None, soft_wrap=True)

    def remark(self, text: str) -> None:
        """A sentence on standard error, if there is one."""
        if text:
            open_console(to_stderr=True).print(plain(text), style="yellow", soft_wrap=True)

    def outcome(self, events: Generator[RunEvent, None, Result]) -> Result:
        """Show the notes and the progress of a generator, and give its result; the bar is gone then."""
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                self._bars.stop()
                result: Result = end.value
                return result
            if isinstance(event, Note):
                self.note(event)
            elif isinstance(event, LeftOut):
                self.left_out(event)
            elif isinstance(event, Step):
                self.step(event.stage, event.done, event.total)

    def left_out(self, event: LeftOut, where: str = "") -> None:
        """How many films were left out, and the first few reasons."""
        count = len(event.failures)
        self.console.print(f"{count} video{'s' * (count > 1)} left out{where}", style="yellow")
        for failure in event.failures[:_SHOWN_FAILURES]:
            line = f"  {plain(failure.path.name)}: {plain(failure.reason)}"
            self.console.print(line, style="yellow", soft_wrap=True)


def show_model_name(model: str) -> None:
    """Print which model is used, on standard error."""
    open_console(to_stderr=True).print(f"model: {plain(model)}", style="dim", soft_wrap=True)


def clock(seconds: float) -> str:
    """Seconds as people write them: 1:23.4, 2:03:04.5."""
    tenths = round(max(0.0, seconds) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    shown = f"{minutes:02d}" if hours else f"{minutes}"
    return (f"{hours}:" if hours else "") + f"{shown}:{rest // 10:02d}.{rest % 10}"
