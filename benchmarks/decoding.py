"""How fast one film is read, every frame of it, against ffmpeg that only decodes and against the plainest loop.

    python benchmarks/decoding.py [--size 320x240 --size 1280x720 --size 1920x1080] [--rounds 5]

Films are made by ffmpeg (H.264, 25 frames a second, moving test pictures with noise). The model is `small` at 112 x 112
pixels with a GRU of 128 units, fresh weights, fp32 and, with --int8, its convolutions in 8 bits. Rounds are
interleaved: ffmpeg, vidrnn by onnx with one and with two computing threads, and for the first size the plain loop:
OpenCV reads, torch computes frame by frame. Ratios are medians over rounds. CPU is seconds of all threads.

    python benchmarks/decoding.py --memory      # peak memory of a film of 1 minute and of one of 30
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated

import cv2
import numpy as np
import typer

FPS = 25
_WARM = 32


def main(
    size: Annotated[list[str] | None, typer.Option(help="Width x height of films.")] = None,
    rounds: int = 5,
    int8: bool = False,
    memory: bool = False,
) -> None:
    """Make the films, time in turn, print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = _model(folder / "model", int8)
        if memory:
            _memory(folder, model)
            return
        print("| film | what | frames/s | of ffmpeg | CPU ms a frame |\n|---|---|---|---|---|")
        for shown in size or ["320x240", "1280x720", "1920x1080"]:
            _time_all(folder, model, shown, rounds)


@dataclass
class Timed:
    """A way to read a film, and its seconds and CPU seconds in each round."""

    name: str
    read: Callable[[], object]
    seconds: list[float]
    cpu: list[float]


def _time_all(folder: Path, model: Path, shown: str, rounds: int) -> None:
    seconds = {"320x240": 40, "1280x720": 16, "1920x1080": 8}.get(shown, 20)
    film = make_film(folder / f"{shown}.mp4", shown, seconds)
    portable = [sys.executable, __file__, "read", str(model / "model.onnx"), str(film)]
    ways = [
        Timed(
            "ffmpeg, decoding only", lambda: _run("ffmpeg", "-v", "error", "-i", str(film), "-f", "null", "-"), [], []
        ),
        Timed("vidrnn, onnx, 1 thread", lambda: _run(*portable, "1"), [], []),
        Timed("vidrnn, onnx, 2 threads", lambda: _run(*portable, "2"), [], []),
        Timed("OpenCV decoding only, resized", lambda: _run(sys.executable, __file__, "decode", str(film)), [], []),
        Timed("network alone", lambda: _run(sys.executable, __file__, "network", portable[3], str(film)), [], []),
    ]
    if shown == "320x240":
        ways.append(
            Timed("plain loop, torch", lambda: _run(sys.executable, __file__, "plain", str(model), str(film)), [], [])
        )
    for _ in range(rounds):
        for way in ways:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            way.seconds.append(float(way.read() or 0))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            way.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    frames = seconds * FPS
    for way in ways:
        ratio = statistics.median(first / mine for first, mine in zip(ways[0].seconds, way.seconds, strict=True))
        rate, cpu = frames / statistics.median(way.seconds), 1000 * statistics.median(way.cpu) / frames
        print(f"| {shown} | {way.name} | {rate:.0f} | {ratio:.2f} | {cpu:.2f} |", flush=True)


def _run(*command: str) -> float:
    """Run it; the seconds that it says it took, else those that it took."""
    started = perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said = done.stdout.split()
    return float(said[-1]) if said else perf_counter() - started


def make_film(path: Path, shown: str, seconds: float) -> Path:
    """A moving test picture with noise, as H.264 of an ordinary quality."""
    if shutil.which("ffmpeg") is None:
        raise SystemExit("ffmpeg is not installed: apt-get install ffmpeg")
    source = f"testsrc2=size={shown}:rate={FPS}:duration={min(seconds, 10)},noise=alls=12:allf=t"
    once = path.with_name(f"once-{path.name}")
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
    _run("ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", source, *encode, str(once))
    loops = ["-stream_loop", "-1", "-i", str(once), "-t", str(seconds), "-c", "copy", str(path)]
    _run("ffmpeg", "-v", "error", "-y", *loops)
    once.unlink()
    return path


def _model(folder: Path, int8: bool) -> Path:
    """`small` and a GRU with fresh weights, exported; a window is 16 frames, each of a film of `FPS`."""
    from vidrnn.config import HeadConfig
    from vidrnn.export.onnx import OnnxExport
    from vidrnn.model.checkpoint import load_model, save_model
    from vidrnn.model.metadata import ModelHeader
    from vidrnn.nets.network import build_network
    from vidrnn.nets.spec import EncoderConfig, ModelSpec
    from vidrnn.values import AnswerSpec, DecisionRule

    encoder = EncoderConfig(name="small", frozen=False, origin="none")
    spec = ModelSpec(
        network="scores",
        encoder=encoder,
        head=HeadConfig(),
        readout="attention",
        height=112,
        width=112,
        frames=16,
        spacing_seconds=1 / FPS,
    )
    answer, rule = AnswerSpec("classify", "one", "clip", tuple("abcdef")), DecisionRule(reset="cut")
    header = ModelHeader(
        vidrnn_version="0", answer=answer, decision=rule, spec=spec, seed=0, seen={}, scores={}, facts={}
    )
    folder.mkdir(parents=True)
    save_model(folder, build_network(spec, answer).eval(), header, "")
    clips = np.random.default_rng(0).integers(0, 256, (4, 16, 112, 112, 3), dtype=np.uint8)
    OnnxExport().write(load_model(folder), folder / "model.onnx", "int8" if int8 else "fp32", list(clips))
    return folder


def read(model: str, film: str, threads: int) -> None:
    """Read a film as `vidrnn predict` does; the seconds it took, and peak memory in MB."""
    from vidrnn.predict.predictor import Predictor, open_model

    predictor = Predictor(open_model(Path(model))[0], per_film=threads)
    started = perf_counter()
    found = predictor.predict(film)
    took = perf_counter() - started
    print(found.frames, f"{_peak_megabytes():.1f}", took)


def _peak_megabytes() -> float:
    """Of this process since its program began; what getrusage tells goes on from the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def decode(film: str) -> None:
    """What vidrnn decodes, without any network."""
    from vidrnn.values import Size
    from vidrnn.video.reader import open_film

    started = perf_counter()
    with open_film(film) as opened:
        count = sum(1 for _ in opened.frames(size=Size(112, 112)))
    print(count, perf_counter() - started)


def network(model: str, film: str) -> None:
    """The network alone, on as many frames."""
    from vidrnn.predict.predictor import open_model

    capture = cv2.VideoCapture(film)
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    runtime = open_model(Path(model))[0]
    frames = np.random.default_rng(0).integers(0, 256, (_WARM, 112, 112, 3), dtype=np.uint8)
    started = perf_counter()
    for _ in range(-(-count // _WARM)):
        runtime.follow(runtime.encode(frames)[None])
    print(count, (perf_counter() - started) * count / (-(-count // _WARM) * _WARM))


def plain(model: str, film: str) -> None:
    """The loop that everybody writes first."""
    import torch

    from vidrnn.model.checkpoint import load_model

    network = load_model(Path(model)).network
    capture, state, count = cv2.VideoCapture(film), None, 0
    started = perf_counter()
    with torch.no_grad():
        while True:
            found, picture = capture.read()
            if not found:
                break
            shown = cv2.cvtColor(cv2.resize(picture, (112, 112)), cv2.COLOR_BGR2RGB)
            _, state = network(torch.from_numpy(shown)[None, None], state)
            count += 1
    print(count, perf_counter() - started)


def _memory(folder: Path, model: Path) -> None:
    """Peak memory of a film of a minute and of half an hour."""
    for minutes in (1, 30):
        film = make_film(folder / f"{minutes}.mp4", "320x240", 60 * minutes)
        command = [sys.executable, __file__, "read", str(model / "model.onnx"), str(film), "1"]
        frames, peak, took = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        print(f"{minutes} min: {frames} frames, {float(took):.1f} s, peak {peak} MB", flush=True)


if __name__ == "__main__":
    inside = {"decode": decode, "network": network, "plain": plain}
    if sys.argv[1:2] == ["read"]:
        read(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif sys.argv[1:] and sys.argv[1] in inside:
        inside[sys.argv[1]](*sys.argv[2:])
    else:
        typer.run(main)
