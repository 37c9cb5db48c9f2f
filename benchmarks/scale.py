"""How many clips a training can have: the time and the memory until it starts, and the speed of a cache on a cold disk.

    python benchmarks/scale.py                                   # 1,000, 10,000 and 100,000 clips: about ten minutes
    python benchmarks/scale.py --clips 1000000 --read 1000       # only 1,000 videos are read, see below
    python benchmarks/scale.py --clips 20000 --looks             # without a group column: groups by looks
    python benchmarks/scale.py --clips 5000 --cold               # also: an epoch of windows from a cache on a cold disk

Each clip is a file of its own: six frames of 32x24 pixels, painted from the seed, of ten classes, ten clips a group, in
a manifest. The first start reads every video. The second one finds the scans in the cache. Both run as processes of
their own, from the manifest to the split and the hash of the films, and the memory is that before torch is loaded.

With --read N only N videos are painted and read. The other files are empty but for their number, and their scans are
filled in: those of the videos that were read, with thumbnails of their own. The second start cannot tell the
difference. The first one is then the reading of N videos. Everything is written below a temporary folder, which is
removed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np

from vidrnn.data.cache import Cache, Rendering, Steps
from vidrnn.data.dataset import Dataset, index_in_making, read_dataset
from vidrnn.data.scan import scan_films
from vidrnn.data.splits import split_films
from vidrnn.data.stored.scan_store import ScanRow, scans_at, stamp_of
from vidrnn.tasks.base import task_named
from vidrnn.threads import available_cores
from vidrnn.values import FilmScan, Size

CLIPS = (1000, 10_000, 100_000)
CLASSES, GROUP, FRAMES = 10, 10, 6
SETTLED_SECONDS = 2.5
"""A file that has just been written is not yet known by its time."""
COLD_GRID = Rendering(spacing_seconds=0.1, size=Size(84, 112))


def main() -> None:
    """Print a row for each number of clips."""
    given = arguments()
    if given.child:
        print(json.dumps(start(given.child, given.cache)))
        return
    names = ("clips", "videos read", "first start s", "of processor s", "again s", "of processor s")
    print(f"| {' | '.join(names)} | peak MB | index bytes a clip | cache bytes a clip |\n|{'---|' * 9}")
    for clips in given.clips:
        with tempfile.TemporaryDirectory(prefix="vidrnn-scale-") as folder:
            print(row(Path(folder), clips, given), flush=True)
            if given.cold:
                print(cold(Path(folder), given.seed), flush=True)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="*", default=CLIPS)
    parser.add_argument("--read", type=int, default=None, help="videos that are painted and read [all]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--looks", action="store_true", help="leave the group column out")
    parser.add_argument("--cold", action="store_true", help="time windows from a cache that is not in memory")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def row(folder: Path, clips: int, given: argparse.Namespace) -> str:
    """The row of a number of clips."""
    read = min(clips, given.read or clips)
    data, cache = folder / "clips.csv", folder / "cache"
    names = paint(folder, clips, read, given.seed)
    write_manifest(data, names[:read], grouped=not given.looks)
    time.sleep(SETTLED_SECONDS)
    first = in_process(data, cache)
    if read < clips:
        fill(folder, cache, names, read, given.seed)
        write_manifest(data, names, grouped=not given.looks)
    again = in_process(data, cache)
    assert again["clips"] == clips, again
    cells = [f"{clips:,}", f"{read:,}"]
    cells += [f"{each[name]:,.1f}" for each in (first, again) for name in ("seconds", "processor_seconds")]
    index, stored = (again["peak_mb"] - again["before_mb"]) * 2**20 / clips, scans_at(cache).size_bytes / clips
    cells += [f"{number:,.0f}" for number in (again["peak_mb"], index, stored)]
    return f"| {' | '.join(cells)} |"


def paint(folder: Path, clips: int, read: int, seed: int) -> list[str]:
    """Write the files, and give their names below the folder. Letters in place of digits tell no groups."""
    random, code = np.random.default_rng(seed), cv2.VideoWriter.fourcc(*"MJPG")
    names = []
    for clip in range(clips):
        place = f"class{clip % CLASSES}/{clip // 1000}"
        if clip % 1000 < CLASSES:
            (folder / place).mkdir(parents=True)
        names.append(f"{place}/{''.join(chr(97 + int(digit)) for digit in str(clip))}.avi")
        if clip >= read:
            (folder / names[-1]).write_text(str(clip))
            continue
        first, last = (
            cv2.resize(random.integers(0, 256, (3, 4, 3), dtype=np.uint8), (32, 24), interpolation=cv2.INTER_CUBIC)
            for _ in range(2)
        )
        film = cv2.VideoWriter(str(folder / names[-1]), code, 10, (32, 24))
        for frame in range(FRAMES):
            film.write(cv2.addWeighted(first, 1 - frame / FRAMES, last, frame / FRAMES, 0))
        film.release()
    return names


def write_manifest(data: Path, names: Sequence[str], *, grouped: bool) -> None:
    """The manifest of some files, with a group for every ten of them if asked."""
    rows = [f"{name},{name.partition('/')[0]}" for name in names]
    if grouped:  # neighbours have different classes, so a group shows several
        rows = [f"{each},group{place // GROUP}" for place, each in enumerate(rows)]
    data.write_text("\n".join(["path,label" + (",group" if grouped else ""), *rows]) + "\n")


def fill(folder: Path, cache: Path, names: Sequence[str], read: int, seed: int) -> None:
    """Store a scan for each file that was not read, as if it had been."""
    store, random = scans_at(cache), np.random.default_rng(seed)
    known = [found for found in store.known([str(folder / name) for name in names[:read]], None) if found]
    arrays = list(store.arrays([content for content, _ in known], None))
    for place, name in enumerate(names[read:]):
        facts, stored = known[place % len(known)][1], arrays[place % len(known)]
        assert stored is not None
        pictures = cv2.resize(
            random.integers(0, 256, (3, 4, 2), dtype=np.uint8), (16, 12), interpolation=cv2.INTER_CUBIC
        )
        file, content = str(folder / name), blake2b(name.encode(), digest_size=16).hexdigest()
        store.add(content, None, ScanRow(facts, pictures.transpose(2, 0, 1).tobytes(), stored[1]))
        store.add_file(file, stamp_of(file), content)
    store.flush()


def in_process(data: Path, cache: Path) -> dict[str, float]:
    """What a start in a process of its own says."""
    command = [sys.executable, __file__, "--child", data, "--cache", cache]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def start(data: Path, cache: Path) -> dict[str, float]:
    """Read DATA as a training does until its first minibatch could be made, and give times and memory."""
    before, began, used = _peak_mb(), time.perf_counter(), time.process_time()
    dataset = index(data, cache)
    split = split_films(dataset.films, dataset.grouping)
    peak, seconds, processor = _peak_mb(), time.perf_counter() - began, time.process_time() - used
    from vidrnn.train.trainer import films_hash

    began, used = time.perf_counter(), time.process_time()
    films_hash(dataset, split)
    return {
        "clips": len(dataset.films),
        "seconds": seconds + time.perf_counter() - began,
        "processor_seconds": processor + time.process_time() - used,
        "before_mb": before,
        "peak_mb": peak,
    }


def index(data: Path, cache: Path) -> Dataset:
    """The dataset of a manifest."""
    with index_in_making():  # as in a training
        events = read_dataset(task_named("classify").read(data, to_train=True), data, cache, available_cores())
        while True:
            try:
                next(events)
            except StopIteration as end:
                dataset: Dataset = end.value
                return dataset


def _peak_mb() -> float:
    """The largest memory of this process so far. Linux counts a child from its parent on in `getrusage`."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def cold(folder: Path, seed: int) -> str:
    """A sentence on an epoch of windows from a cache that is not in memory, beside plain reading of its files."""
    from vidrnn.train.shares.minibatches import Clips, ClipSampler

    cache = Cache(folder / "cache", available_cores())
    films = sorted(film for film in folder.glob("class*/*/*.avi") if film.stat().st_size > 1000)
    found = scan_films(films, cache=cache.folder, jobs=available_cores())
    scans = [scan for _, scan in found if isinstance(scan, FilmScan)]
    for _ in cache.frames(scans, COLD_GRID):
        pass
    steps = [each for each in cache.frames(scans, COLD_GRID) if isinstance(each, Steps)]
    clips = Clips([each.array[None] for each in steps], np.zeros(len(steps), np.int64))
    sampler = ClipSampler(FRAMES, 16, seed, cut=False, phases=1)
    files = [file for file in cache.folder.glob("??/*.npy") if not file.name.endswith(".index.npy")]
    size_mb = sum(file.stat().st_size for file in files) / 1e6
    plain = min(_timed(lambda: sum(len(file.read_bytes()) for file in files), files) for _ in range(2))
    epochs = [_timed(lambda: sum(len(some.mask) for some in sampler.epoch(clips, 0)), files) for _ in range(2)]
    return (
        f"{len(steps):,} entries of {size_mb:,.0f} MB on a cold disk: plain reading {size_mb / plain:,.0f} MB/s, "
        f"windows in random order {size_mb / epochs[0]:,.0f} MB/s with sums verified, "
        f"{size_mb / epochs[1]:,.0f} MB/s after that"
    )


def _timed(work: Callable[[], object], files: Sequence[Path]) -> float:
    """Seconds of some work after the system has forgotten the files."""
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
