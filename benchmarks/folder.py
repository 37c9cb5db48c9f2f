"""A folder of films by `vidrnn predict FOLDER --out DIR`, against ffmpeg that only decodes it, each with two processes.

    python benchmarks/folder.py                       # 200 five-second films of 320x240, painted by ffmpeg
    python benchmarks/folder.py --films FOLDER --rounds 5 --format csv,srt

Whole commands are timed, start of Python and loading of the model included, in turns, on whatever else the machine
does; the figure is the median of the rounds' ratios. Starting ffmpeg for each film takes about as long as decoding a
short one, so it is also given half of the folder at a time, as one list. Needs ffmpeg.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vidrnn.data.films import find_films

ROOT = Path(__file__).resolve().parent.parent
KINDS = 10
"""Films that differ; the others are copies under other names."""


def main() -> None:
    """Time both, and print each round and the median."""
    given = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        here = Path(temporary)
        films = given.films or painted(here / "films", given.count)
        found = find_films([str(films)])
        print(f"{len(found)} films, {given.jobs} processes each")
        rounds = [round_of(number, films, found, here, given) for number in range(given.rounds)]
    for name in ("ffmpeg", "ffmpeg, lists"):
        wall = statistics.median(each[name].wall / each["vidrnn"].wall for each in rounds)
        cpu = statistics.median(each[name].cpu / each["vidrnn"].cpu for each in rounds)
        print(f"vidrnn at {wall:.2f} of the speed of {name}, {cpu:.2f} by processor time (medians of {len(rounds)})")


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of all processors."""

    wall: float
    cpu: float


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "moves")
    parser.add_argument("--format", default="jsonl")
    return parser.parse_args()


def painted(folder: Path, count: int) -> Path:
    """Five seconds each of moving shapes with noise, 320x240, 25 frames per second, H.264."""
    folder.mkdir()
    for kind in range(min(KINDS, count)):
        paint = f"testsrc2=size=320x240:rate=25:duration=5,hue=h={36 * kind},noise=alls=8:allf=t:all_seed={kind}"
        run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", paint, "-pix_fmt", "yuv420p", str(folder / f"{kind:03}.mp4")]
        )
    for number in range(KINDS, count):
        shutil.copy(folder / f"{number % KINDS:03}.mp4", folder / f"{number:03}.mp4")
    return folder


def round_of(number: int, films: Path, found: Sequence[Path], here: Path, given: argparse.Namespace) -> dict[str, Took]:
    """What each took; who goes first changes from round to round."""
    ways = {
        "ffmpeg": partial(by_ffmpeg, found, given.jobs),
        "vidrnn": partial(by_vidrnn, films, here / f"out{number}", given),
        "ffmpeg, lists": partial(by_ffmpeg_lists, found, here, given.jobs),
    }
    took = {name: timed(ways[name]) for name in (ways if number % 2 == 0 else reversed(ways))}
    print("  ".join(f"{name} {took[name].wall:.1f} s ({took[name].cpu:.1f} s)" for name in ways), flush=True)
    return took


def timed(way: Callable[[], None]) -> Took:
    """How long it took, its processes included."""
    began, before = time.perf_counter(), os.times()
    way()
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Took(time.perf_counter() - began, cpu)


def by_ffmpeg(films: Sequence[Path], jobs: int) -> None:
    """Decode every film, a few at once."""
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(decode, (["-i", str(film)] for film in films)))


def by_ffmpeg_lists(films: Sequence[Path], here: Path, jobs: int) -> None:
    """Decode every film, as many in one process as there are for each job."""
    lists = [here / f"list{number}.txt" for number in range(jobs)]
    for number, file in enumerate(lists):
        file.write_text("".join(f"file '{film.absolute()}'\n" for film in films[number::jobs]))
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(decode, (["-f", "concat", "-safe", "0", "-i", str(file)] for file in lists)))


def decode(what: Sequence[str]) -> None:
    """Have ffmpeg decode it, and throw the pictures away."""
    run(["ffmpeg", "-nostdin", "-v", "error", *what, "-f", "null", "-"])


def by_vidrnn(films: Path, out: Path, given: argparse.Namespace) -> None:
    """Answer every film, as a person would have it done."""
    command = [sys.executable, "-c", "from vidrnn.cli import run; run()", "predict", str(films), "--out", str(out)]
    run([*command, "--model", str(given.model), "--jobs", str(given.jobs), "--format", given.format])


def run(command: Sequence[str]) -> None:
    """Run a command that must end well."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
