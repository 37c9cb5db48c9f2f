"""Parts that several commands share: flags that are no settings, and the meaning of flags."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vidrnn.cli.flags import Settings, flag_names
from vidrnn.errors import UsageError
from vidrnn.settings import RUN
from vidrnn.threads import available_cores
from vidrnn.video.inspection.limits import allow_pixels

if TYPE_CHECKING:
    from vidrnn.config import RunConfig

EngineName = Literal["local", "ray"]
_DEVICE = re.compile(r"auto|mps|cuda(:\d{1,3})?")
RuntimeName = Literal["onnx", "torch", "openvino"]

STOPS = tuple(
    signal.Signals(number) for name in ("SIGINT", "SIGBREAK") if (number := getattr(signal, name, None)) is not None
)
"""The signals of Ctrl-C, and on Windows of Ctrl-Break."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else to standard output.")]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Settings as TOML. Flags have priority over it.", rich_help_panel=RUN),
]


def jobs_here(engine: EngineName, environment: Mapping[str, str]) -> int | None:
    """The default number of processes: this process's share of the cores; None, which is all of them, on a cluster."""
    if engine != "local":
        return None
    beside = environment.get("LOCAL_WORLD_SIZE", "1")  # by torchrun: its processes on this machine
    return max(1, available_cores() // max(1, int(beside) if beside.isdecimal() else 1))


def started_together(environment: Mapping[str, str]) -> bool:
    """Whether torchrun started this process beside others: it sets RANK and WORLD_SIZE."""
    return "RANK" in environment and environment.get("WORLD_SIZE", "1") != "1"


def own_device(name: str, environment: Mapping[str, str]) -> str:
    """The device of this process: of those that torchrun started on this machine, each takes a GPU of its own."""
    if name != "cuda" or not started_together(environment):
        return name
    return device_named(f"cuda:{environment.get('LOCAL_RANK', '0')}")


def device_named(name: str) -> str:
    """The device to compute on, by torch's name; auto takes an NVIDIA GPU if there is one.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "cpu":
        return name
    if _DEVICE.fullmatch(name) is None:
        raise UsageError(f"--device {name}: is no device. Say auto, cpu, cuda, cuda:1 or mps.")
    devices = found_devices()
    if name == "auto":
        return "cuda" if "cuda:0" in devices else "cpu"
    if name == "cuda" and "cuda:0" in devices:
        return name
    if name not in devices:
        raise UsageError(
            f"--device {name}: torch finds no such device here. There {'is' if len(devices) == 1 else 'are'}: "
            f"{', '.join(devices)}. Name one of them, or leave it out."
        )
    return name


def found_devices() -> tuple[str, ...]:
    """The devices that torch can compute on. torch takes seconds to load, so it is loaded only if there is a driver."""
    if not _may_have_gpu(sys.platform) or find_spec("torch") is None:
        return ("cpu",)
    import torch

    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    return ("cpu", *gpus, *(["mps"] if torch.backends.mps.is_available() else []))


def _may_have_gpu(system: str) -> bool:
    """Whether there is the driver of a GPU that torch may compute on."""
    if system == "win32":
        from ctypes.util import find_library  # here, since it takes a tenth of a short command

        return find_library("nvcuda") is not None
    if system == "linux":
        return any(Path(place).exists() for place in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))
    return True


def fetched(model: Path) -> Path:
    """The path of a model. One that comes with vidrnn may have its name alone; one of the Hub is fetched first.

    Raises:
        UsageError, ModelError: it cannot be fetched.
    """
    from vidrnn.model.header import located_model

    if not model.as_posix().startswith("hf:"):
        return located_model(model)
    from vidrnn.model.hub import local_model

    return local_model(model)


def model_named(model: Path | None, runs: Path = Path("runs")) -> Path:
    """The model of `--model`, else that of the newest run, else the shipped `actions`.

    Raises:
        UsageError: there is none at all.
    """
    from vidrnn.model.header import shipped_models

    if model:
        return fetched(model)
    runs_with_model = [folder.parent for folder in runs.glob("*/model") if (folder / "model.safetensors").is_file()]
    if runs_with_model:
        return max(runs_with_model, key=lambda run: (run / "model" / "model.safetensors").stat().st_mtime)
    shipped = shipped_models() / "actions"
    if not shipped.is_dir():
        raise UsageError("no model: there is no run in runs/ and no shipped model. Train one: vidrnn train DATA.")
    return shipped


def chosen_settings(file: Path | None, settings: Settings, command: str) -> RunConfig:
    """The `settings` that flags gave, else those of `file`, else the defaults.

    Raises:
        UsageError: there is no such file, or a setting has a value it cannot have.
    """
    from vidrnn.config import RunConfig

    written: dict[str, Any] = RunConfig.read(file).model_dump(exclude_unset=True) if file else {}
    head = written.get("head", {}) | settings.get("head", {})
    merged = written | settings | ({"head": head} if head else {})
    chosen = RunConfig.of(merged, source=command, flags=flag_names(RunConfig, settings))
    if chosen.max_pixels is not None:
        allow_pixels(chosen.max_pixels)
    return chosen.model_copy(update={"jobs": chosen.jobs or jobs_here("local", os.environ)})


def films_named(data: str | None, before: str | None, command: str) -> Path:
    """DATA of the command line, else that of the settings.

    Raises:
        UsageError: neither names it.
    """
    if data or before:
        return Path(str(data or before))
    raise UsageError(f"{command}: name a folder of class folders or a CSV manifest: {command} DATA.")


def free_folder(folder: Path) -> Path:
    """`folder`, or the first of its name with a number that does not exist yet."""
    free, number = folder, 2
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free


@contextmanager
def stopping(stop: Event, what: str = "epoch") -> Iterator[None]:
    """The first Ctrl-C sets `stop`, so that the running work ends cleanly; a second one, and SIGTERM, stop at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        typer.echo(f"\nStopping after this {what}; Ctrl-C again stops at once.", err=True)

    def on_kill(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt  # a system that shuts down waits for no epoch

    handlers = {**dict.fromkeys(STOPS, on_signal), signal.SIGTERM: on_kill}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending(stop: Event) -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM sets `stop` and is added to the list that this gives; a second one stops at once."""
    caught: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number if number == signal.SIGTERM else signal.SIGINT)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (*STOPS, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
