"""Events of an observation become bouts: starts and stops are paired, and one time axis is divided among its videos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vidrnn.values import Bout

Status = Literal["start", "stop", "point", "toggle"]
"""A toggle is a start or a stop, in turn."""


@dataclass(frozen=True, slots=True)
class Event:
    """A moment at which a behaviour started, stopped, or was seen."""

    seconds: float
    label: str
    status: Status
    subject: str = ""
    modifiers: str = ""
    """Bouts of one behaviour with other modifiers are bouts of their own."""


@dataclass(frozen=True, slots=True)
class Media:
    """A video of an observation. Several videos in a row have one time axis."""

    name: str
    start: float | None
    """The time on the axis at which the video starts; None where the length of an earlier one is not known."""
    seconds: float | None = None
    """Its length."""


class UnpairedError(ValueError):
    """A start without a stop, or a stop without a start. The text is a clause with the behaviour and the time."""


def paired(events: Iterable[Event]) -> tuple[Bout, ...]:
    """The bouts of the events; a point is a bout whose end is its start.

    Raises:
        UnpairedError: a start has no stop, or a stop has no start.
    """
    bouts: list[Bout] = []
    states: dict[tuple[str, str, str], list[Event]] = {}
    for event in events:
        if event.status == "point":
            bouts.append(Bout(event.seconds, event.seconds, event.label, event.subject))
        else:
            states.setdefault((event.label, event.subject, event.modifiers), []).append(event)
    for each in states.values():
        bouts += _bouts_of_state(sorted(each, key=lambda one: one.seconds))
    return tuple(sorted(bouts, key=lambda one: (one.start, one.end)))


def _bouts_of_state(events: list[Event]) -> Iterator[Bout]:
    """The bouts of one behaviour of one subject; its events are sorted by time.

    Of a start and a stop at the same time, the one comes first that fits.
    """
    started: Event | None = None
    while events:
        wanted = "start" if started is None else "stop"
        place = next(
            (
                n
                for n, one in enumerate(events)
                if one.seconds == events[0].seconds and one.status in (wanted, "toggle")
            ),
            None,
        )
        if place is None:
            problem = "starts a second time" if started is not None else "stops without a start"
            raise UnpairedError(f"{_shown(events[0])} {problem} at {events[0].seconds:.3f} s")
        event = events.pop(place)
        if started is None:
            started = event
        else:
            yield Bout(started.seconds, event.seconds, event.label, event.subject)
            started = None
    if started is not None:
        raise UnpairedError(f"{_shown(started)} starts at {started.seconds:.3f} s and never stops")


def in_a_row(names: Sequence[str], lengths: Sequence[float | None], offset: float = 0.0) -> tuple[Media, ...]:
    """Videos that follow each other on one axis, the first one from `offset` on."""
    media = []
    start: float | None = offset
    for name, seconds in zip(names, lengths, strict=True):
        media.append(Media(name, start, seconds))
        start = None if start is None or seconds is None else start + seconds
    return tuple(media)


def within(media: Media, bouts: Iterable[Bout], end: float | None) -> tuple[Bout, ...]:
    """The bouts on the clock of one video, cut at its start and at `end` seconds of it; None: not cut at all."""
    assert media.start is not None
    moved = [replace(one, start=one.start - media.start, end=one.end - media.start) for one in bouts]
    if end is None:
        return tuple(moved)
    return tuple(
        replace(one, start=max(one.start, 0.0), end=min(one.end, end))
        for one in moved
        if one.start < end and (one.end > 0 or one.start == one.end == 0)
    )


def _shown(event: Event) -> str:
    return f"{event.label!r}" + (f" of {event.subject}" if event.subject else "")
