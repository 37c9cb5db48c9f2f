"""What is said of damaged films: crashes, hangs, and frames or seconds that are lost without a note.

    python benchmarks/attack/fuzz.py [--films 360] [--seed 0] [--only avi] [--show silent]

Films of 300 frames are made by ffmpeg from sample_videos in 13 containers and codecs. Each frame holds its own number
as a row of black and white blocks, so the time of each picture is known. Each film is then damaged at random: a tenth
of its bytes becomes zeros or noise, in one stretch or in ten, is left out, or the end is cut off, or single bits flip.
A child process reads each film, with a limit of 60 seconds. The header, the first 4 %, is spared in all but a tenth of
the films. A film is `silent` if more than 5 % of its frames are lost and its notes say nothing, `late` if its pictures
stand more than 0.5 s from their times and its notes do not say that times cannot be trusted.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

FRAMES, FPS = 300, 25
SIZE = 160, 120
_STRIP = 20
"""Rows of the number at the top of each picture."""
_LIMIT_SECONDS = 60
SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_videos"
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "50")
CONTAINERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mp4": ("mp4", H264),
    "mp4-fragments": ("mp4", (*H264, "-movflags", "+frag_keyframe+empty_moov")),
    "mov-mjpeg": ("mov", ("-c:v", "mjpeg", "-q:v", "4")),
    "mkv": ("mkv", H264),
    "webm-vp8": ("webm", ("-c:v", "libvpx", "-b:v", "500k", "-g", "50")),
    "webm-vp9": ("webm", ("-c:v", "libvpx-vp9", "-b:v", "300k", "-g", "50", "-cpu-used", "8")),
    "avi-mjpeg": ("avi", ("-c:v", "mjpeg", "-q:v", "4")),
    "avi-mpeg4": ("avi", ("-c:v", "mpeg4", "-q:v", "4")),
    "avi-h264": ("avi", (*H264, "-bf", "0")),
    "ts": ("ts", H264),
    "mpg": ("mpg", ("-c:v", "mpeg2video", "-q:v", "4")),
    "flv": ("flv", (*H264,)),
    "wmv": ("wmv", ("-c:v", "wmv2", "-q:v", "4")),
}
DAMAGES = ("zeros", "ten zeros", "noise", "ten noises", "left out", "cut off", "bits")

_READ = """
import json, sys
import numpy as np
from vidrnn.errors import FilmError
from vidrnn.video.reader import open_film
seen = []
try:
    with open_film(sys.argv[1]) as film:
        for frame in film.frames():
            row = frame.pixels[4:16].mean((0, 2)).reshape(16, -1).mean(1)
            seen.append((int(sum(1 << bit for bit in range(16) if row[bit] > 127)), frame.seconds))
        answer = {"frames": film.facts().frames, "seen": seen, "notes": film.notes}
except FilmError as error:
    answer = {"refused": str(error)}
print(json.dumps(answer))
"""


def main(
    films: int = 360,
    seed: int = 0,
    only: Annotated[str, typer.Option(help="Only containers whose name begins so.")] = "",
    show: Annotated[str, typer.Option(help="Also show the films of this outcome.")] = "",
    jobs: int = 2,
) -> None:
    """Make, damage and read the films, and show a table."""
    rng = np.random.default_rng(seed)
    names = [name for name in CONTAINERS if name.startswith(only)]
    with tempfile.TemporaryDirectory() as folder:
        whole = {name: _make(Path(folder), name) for name in names}
        for name, path in whole.items():
            answer = _read(path)
            if answer.get("frames") != FRAMES or answer.get("notes") or _lateness(answer) > 0.1:
                print(f"{name}: the whole film is not read as it is: {answer.get('frames')} {answer.get('notes')}")
        tasks = []
        for number in range(films):
            name, damage = names[number % len(names)], DAMAGES[number // len(names) % len(DAMAGES)]
            path = Path(folder) / f"{number}.{CONTAINERS[name][0]}"
            path.write_bytes(_damaged(whole[name].read_bytes(), damage, rng))
            tasks.append((name, damage, path))
        with ThreadPoolExecutor(jobs) as pool:
            answers = list(pool.map(lambda task: _read(task[2]), tasks))
    _report(
        [(name, damage, _outcome(answer), answer) for (name, damage, _), answer in zip(tasks, answers, strict=True)],
        show,
    )


def _make(folder: Path, name: str) -> Path:
    suffix, options = CONTAINERS[name]
    path = folder / f"{name}.{suffix}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{SIZE[0]}x{SIZE[1]}"]
    pipe = subprocess.Popen([*command, "-r", str(FPS), "-i", "-", *options, str(path)], stdin=subprocess.PIPE)
    assert pipe.stdin is not None
    film = cv2.VideoCapture(str(SAMPLES / "a_day.webm"))
    for index in range(FRAMES):
        picture = cv2.resize(film.read()[1], SIZE)
        bits = np.array([index >> bit & 1 for bit in range(16)], np.uint8) * 255
        picture[:_STRIP] = cv2.resize(bits[None], (SIZE[0], _STRIP), interpolation=cv2.INTER_NEAREST)[..., None]
        pipe.stdin.write(picture.tobytes())
    pipe.stdin.close()
    assert pipe.wait() == 0
    return path


def _damaged(content: bytes, damage: str, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    spared = 0 if rng.random() < 0.1 else len(content) // 25
    count = 10 if damage.startswith("ten") else 1
    length = len(content) // 10 // count
    if damage == "cut off":
        return bytes(changed[: int(len(content) * rng.uniform(0.3, 0.95))])
    if damage == "bits":
        for place in rng.integers(spared, len(content), 100):
            changed[place] ^= 1 << int(rng.integers(8))
        return bytes(changed)
    for start in map(int, rng.integers(spared, len(content) - length, count)):
        if damage == "left out":
            del changed[start : start + length]
        else:
            changed[start : start + length] = bytes(length) if damage.endswith("zeros") else rng.bytes(length)
    return bytes(changed)


def _read(path: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _READ, str(path)],
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"broken": "hang"}
    if done.returncode:
        return {"broken": "crash", "said": done.stderr[-300:]}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _lateness(answer: dict[str, Any]) -> float:
    """How far the pictures stand from their times in seconds: the 90th percentile of those whose number is read."""
    apart = [abs(seconds - number / FPS) for number, seconds in answer.get("seen", ()) if number < FRAMES]
    return float(np.quantile(apart, 0.9)) if apart else 0.0


def _outcome(answer: dict[str, Any]) -> str:
    if "broken" in answer:
        return str(answer["broken"])
    if "refused" in answer:
        return "refused"
    lost, late, notes = FRAMES - answer["frames"] > 0.05 * FRAMES, _lateness(answer) > 0.5, answer["notes"]
    if lost and not notes:
        return "silent"
    if late and not any("time" in note.lower() for note in notes):
        return "late"
    if lost:
        return "told"
    return "noted" if notes else "read"


def _report(rows: list[tuple[str, str, str, dict[str, Any]]], show: str) -> None:
    outcomes = ("read", "noted", "told", "refused", "silent", "late", "hang", "crash")
    print(f"{'':16}" + "".join(f"{outcome:>9}" for outcome in outcomes))
    for key in (0, 1):
        for name in dict.fromkeys(row[key] for row in rows):
            counts = Counter(row[2] for row in rows if row[key] == name)
            print(f"{name:16}" + "".join(f"{counts[outcome]:9}" for outcome in outcomes))
    total = Counter(row[2] for row in rows)
    print(f"{'all':16}" + "".join(f"{total[outcome]:9}" for outcome in outcomes))
    lost = [row for row in rows if "frames" in row[3] and FRAMES - row[3]["frames"] > 0.05 * FRAMES]
    told = sum(bool(row[3]["notes"]) for row in lost)
    print(
        f"{told} of {len(lost)} films that lost more than 5 % of their frames say so ({told / max(1, len(lost)):.3f})."
    )
    for name, damage, outcome, answer in rows:
        if outcome == show:
            detail = {key: answer[key] for key in ("frames", "notes", "refused", "said") if key in answer}
            print(f"{name}, {damage}: {detail}, {_lateness(answer):.2f} s from their times")


if __name__ == "__main__":
    typer.run(main)
