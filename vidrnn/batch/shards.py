"""The films of a folder in equal parts, for several processes or machines, and the lock that each part holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vidrnn.atomic import try_lock
from vidrnn.errors import OutputError, UsageError

_LOCK_NAME = re.compile(r"shard-(\d+)-of-(\d+)\.lock")
_PROBE_SECONDS = 1.0
"""How long another lock may be held by a process that only looks whether it is free."""


@dataclass(frozen=True)
class Shard:
    """One of `count` equal parts of the films; `number` counts from 1."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise UsageError(f"shard {self}: shards count from 1 to their number, such as 1/4, 2/4, 3/4 and 4/4.")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def lock_name(self) -> str:
        """The name of the file that a process locks while it works on this shard."""
        return f"shard-{self.number}-of-{self.count}.lock"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The shard of `--shard 2/4`.

        Raises:
            UsageError: the text is no shard.
        """
        number, _, count = text.partition("/")
        if not (number.strip().isdecimal() and count.strip().isdecimal()):
            raise UsageError(f"--shard {text}: wanted which of how many, such as 2/4.")
        return cls(int(number), int(count))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self | None:
        """The shard by RANK and WORLD_SIZE, as torchrun sets them; None where there is only one.

        Raises:
            UsageError: they are no numbers, or do not fit each other.
        """
        if "RANK" not in environment or environment.get("WORLD_SIZE", "1") == "1":
            return None
        rank, size = environment["RANK"], environment["WORLD_SIZE"]
        if not (rank.isdecimal() and size.isdecimal() and int(rank) < int(size)):
            raise UsageError(
                f"RANK {rank} and WORLD_SIZE {size} in the environment: wanted numbers, ranks counting from 0. "
                "Unset them, or say --shard 1/1."
            )
        return cls(int(rank) + 1, int(size))


@contextmanager
def hold_shard(out: Path, locks: Path, shard: Shard) -> Iterator[None]:
    """Keep other processes from the same shard of the results in `out`, and from another number of shards.

    The number of shards is part of the lock's name. A process first holds the lock of its shard, then looks whether a
    lock of another number is held. Two processes that start at once with different numbers may both be refused. The
    system releases the locks of a killed process. Where a file system has no locks nothing is refused.

    Args:
        out: the folder of the results, for the error sentences.
        locks: the folder of the locks; it is made.
        shard: the part that this process works on.

    Raises:
        OutputError: another process is at work, or nothing can be written there.
    """
    busy, advice = f"{out}: another vidrnn is writing these results", "or name another folder: --out DIR."
    try:
        lock = try_lock(locks / shard.lock_name, _PROBE_SECONDS)
        count = _other_count(locks, shard.count) if lock else shard.count
    except OSError as problem:
        raise OutputError(
            f"{out}: results cannot be written there: {problem.strerror or problem}. Name another folder: --out DIR."
        ) from problem
    if lock is None or count:
        if lock:
            lock.release()
        if count in {None, 1, shard.count}:
            raise OutputError(f"{busy}. Wait for it, {advice}")
        raise OutputError(f"{busy} in {count} shards. Do one of them (--shard N/{count}), wait, {advice}")
    try:
        yield
    finally:
        lock.release()


def _other_count(locks: Path, count: int) -> int | None:
    """The number of shards by which another process works now, where it is not `count`."""
    for file in sorted(locks.glob("shard-*.lock")):
        name = _LOCK_NAME.fullmatch(file.name)
        if name is None or int(name[2]) == count:
            continue
        lock = try_lock(file, _PROBE_SECONDS)
        if lock is None:
            return int(name[2])
        lock.release()
    return None
