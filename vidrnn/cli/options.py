"""Flags that several commands share, and what they mean."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vidrnn.errors import UsageError
from vidrnn.threads import available_cores

if TYPE_CHECKING:
    from vidrnn.config import RunConfig

Jobs = Annotated[int | None, typer.Option(min=1, help="Films worked on at once. Default: one per processor core.")]
Rate = Annotated[float | None, typer.Option(help="Frames per second of films that are folders of numbered pictures.")]
DeviceName = Literal["auto", "cpu", "cuda"]
Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]
RuntimeName = Literal["onnx", "torch", "openvino"]
RuntimeOption = Annotated[
    RuntimeName | None,
    typer.Option("--runtime", help="What computes [onnx on a processor, torch on a GPU]."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads that compute for one film, beside the one that decodes it [1].")
]
ResetOption = Annotated[
    Literal["cut", "window", "never"] | None,
    typer.Option(
        "--reset",
        help="When the memory starts anew: cut, with each window and where the film is cut; window; never "
        "[as the model stores it].",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else to standard output.")]

MANY = "Many films"
"""A panel of `--help`."""
EngineName = Literal["local", "ray"]
Out = Annotated[
    Path | None,
    typer.Option(help="Write answers into this folder; go on where it was begun.", rich_help_panel=MANY),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="One or more of jsonl, csv, steps, parquet, srt, vtt, labelstudio, video, mp4 [jsonl].",
        rich_help_panel=MANY,
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Seconds after which a film is given up [300, and 60 more for each megabyte].",
        rich_help_panel=MANY,
    ),
]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard", help="Do one part of the films only, such as 2/4 [by RANK, WORLD_SIZE].", rich_help_panel=MANY
    ),
]
EngineOption = Annotated[
    EngineName | None,
    typer.Option("--engine", help="Processes of this machine, or a Ray cluster [local].", rich_help_panel=MANY),
]

LIVE = "Cameras and streams"
"""A panel of `--help`."""
Show = Annotated[
    bool, typer.Option("--show", help="Show the picture and the answer in a window.", rich_help_panel=LIVE)
]
Reconnect = Annotated[
    float | None,
    typer.Option(
        min=0, help="Seconds for which a stream that broke off is looked for again [60].", rich_help_panel=LIVE
    ),
]
Silence = Annotated[
    float | None,
    typer.Option(min=1, help="Seconds without a frame after which a stream has broken off [10].", rich_help_panel=LIVE),
]

_SETTINGS = {"spacing": "spacing_seconds"}
_HEAD = {
    "head": "name",
    "units": "size",
    "layers": "layers",
    "bidirectional": "bidirectional",
    "memory": "memory_frames",
}
"""Flags that `RunConfig` and its head know under other names."""

DATA, MODEL, TIME, RUN = "Films", "Model", "Training", "Run"
"""The panels of `--help`."""
Data = Annotated[
    Path | None,
    typer.Argument(help="A folder of class folders, or a CSV manifest: path,label[,group][,split]."),
]
NoTest = Annotated[bool, typer.Option("--no-test", help="Split into train and val only.", rich_help_panel=DATA)]
Frames = Annotated[int | None, typer.Option(help="Frames in a window [16].", rich_help_panel=DATA)]
Spacing = Annotated[
    float | None,
    typer.Option(
        help="Seconds between frames [a window covers the median clip; next-frame: every frame].", rich_help_panel=DATA
    ),
]
PictureSize = Annotated[
    str | None, typer.Option(help="Pictures as WIDTHxHEIGHT [by encoder and films].", rich_help_panel=DATA)
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Mirrored films are of the same class [unless a class name says left or right].",
        rich_help_panel=DATA,
    ),
]
Augment = Annotated[
    float | None,
    typer.Option(
        help="How far clips are shifted, scaled and lit otherwise while an encoder trains, 0 to 2 [1].",
        rich_help_panel=DATA,
    ),
]
LabelHolds = Annotated[
    Literal["always", "somewhere"] | None,
    typer.Option(
        help="Whether a clip's class shows at every moment of it or only somewhere in it [always].",
        rich_help_panel=DATA,
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(help="auto, small, or a torchvision network such as mobilenet_v2 [auto].", rich_help_panel=MODEL),
]
Weights = Annotated[
    str | None, typer.Option(help="imagenet, none, or a file or model to start from.", rich_help_panel=MODEL)
]
FineTune = Annotated[
    bool | None,
    typer.Option("--fine-tune", help="Train a pretrained encoder too.", rich_help_panel=MODEL),
]
Grey = Annotated[bool | None, typer.Option("--grey", help="Show the encoder brightness only.", rich_help_panel=MODEL)]
Motion = Annotated[
    bool | None,
    typer.Option(
        "--motion/--no-motion",
        help="Show what changed since the frame before, too [no].",
        rich_help_panel=MODEL,
    ),
]
Units = Annotated[int | None, typer.Option(help="Size of the head [128].", rich_help_panel=MODEL)]
Layers = Annotated[
    int | None, typer.Option(help="Layers of the head [2 for mingru and rglru, else 1].", rich_help_panel=MODEL)
]
Bidirectional = Annotated[
    bool | None,
    typer.Option("--bidirectional", help="Read in both directions; cannot stream.", rich_help_panel=MODEL),
]
Memory = Annotated[
    int | None,
    typer.Option(help="Units remember 2 to so many frames before they learn [all of them 30].", rich_help_panel=MODEL),
]
Readout = Annotated[str | None, typer.Option(help="attention, mean or last [attention].", rich_help_panel=MODEL)]
Epochs = Annotated[int | None, typer.Option(help="At most so many [by the number of clips].", rich_help_panel=TIME)]
Minibatch = Annotated[int | None, typer.Option(help="Clips in a minibatch.", rich_help_panel=TIME)]
LearningRate = Annotated[float | None, typer.Option(help="Of AdamW.", rich_help_panel=TIME)]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same weights [0].", rich_help_panel=TIME)]
Config = Annotated[Path | None, typer.Option(help="Settings as TOML; flags go before it.", rich_help_panel=RUN)]


def jobs_here(engine: EngineName, environment: Mapping[str, str]) -> int | None:
    """How many processes to start where nobody says it: this one's share of the cores, and on a cluster all (None)."""
    if engine != "local":
        return None
    beside = environment.get("LOCAL_WORLD_SIZE", "1")  # by torchrun: how many of us it started on this machine
    return max(1, available_cores() // max(1, int(beside) if beside.isdecimal() else 1))


def device_named(name: DeviceName) -> str:
    """The device to compute on; auto takes a GPU where there is one.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """
    there = name != "cpu" and _gpu_is_there()
    if name == "cuda" and not there:
        raise UsageError("--device cuda: no GPU that torch can use was found. Say --device cpu or leave it out.")
    return "cuda" if there else "cpu"


def _gpu_is_there() -> bool:
    """Whether torch can use a GPU; it is only asked, which takes seconds, where there is a driver for one."""
    driver = any(Path(place).exists() for place in ("/dev/nvidia0", "/dev/kfd", "/dev/dxg"))
    if (os.name == "posix" and not driver) or find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def model_named(model: Path | None, runs: Path = Path("runs")) -> Path:
    """The model asked for, else the newest run's, else the shipped `actions`.

    Raises:
        UsageError: there is none at all.
    """
    from vidrnn.model.header import shipped_models

    if model:
        return model
    made = [folder.parent for folder in runs.glob("*/model") if (folder / "model.safetensors").is_file()]
    if made:
        return max(made, key=lambda run: (run / "model" / "model.safetensors").stat().st_mtime)
    shipped = shipped_models() / "actions"
    if not shipped.is_dir():
        raise UsageError("no model: there is no run in runs/ and no shipped model. Train one: vidrnn train DATA.")
    return shipped


def settings_said(**flags: Any) -> dict[str, Any]:
    """What was said of a run by flags, under the names of `RunConfig`; what was not said is left out.

    Raises:
        UsageError: a size is not one.
    """
    said = {_SETTINGS.get(flag, flag): value for flag, value in flags.items() if value is not None}
    said |= _size(said.pop("size", None))
    if said.pop("no_test", False):
        said["test"] = False
    head = {name: said.pop(flag) for flag, name in _HEAD.items() if flag in said}
    return said | ({"head": head} if head else {})


def settings_of(file: Path | None, said: dict[str, Any], command: str) -> RunConfig:
    """The settings of `file`, those that were `said` before them, and the default of what neither names.

    Raises:
        UsageError: there is no such file, or a setting has a value it cannot have.
    """
    from vidrnn.config import RunConfig

    written: dict[str, Any] = RunConfig.read(file).model_dump(exclude_unset=True) if file else {}
    head = written.get("head", {}) | said.get("head", {})
    chosen = RunConfig.of(written | said | ({"head": head} if head else {}), source=command)
    return chosen.model_copy(update={"jobs": chosen.jobs or available_cores()})


def films_named(data: Path | None, before: str | None, command: str) -> Path:
    """DATA as it was named now, or before in a run's settings.

    Raises:
        UsageError: it was not.
    """
    if data or before:
        return data or Path(str(before))
    raise UsageError(f"{command}: name a folder of class folders or a CSV manifest: {command} DATA.")


def free_folder(folder: Path) -> Path:
    """`folder`, or the first of its name with a number that does not exist yet."""
    free, number = folder, 2
    while free.exists():
        free, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return free


@contextmanager
def stopping(stop: Event, what: str = "epoch") -> Iterator[None]:
    """The first Ctrl-C sets `stop`, so that what is running ends cleanly; the second one stops at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        typer.echo(f"\nStopping after this {what}; Ctrl-C again stops at once.", err=True)

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ending(stop: Event) -> Iterator[list[int]]:
    """The first Ctrl-C, or SIGTERM, sets `stop` and is noted in the list that is given; a second one stops at once."""
    caught: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if caught:
            raise KeyboardInterrupt
        caught.append(number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _size(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--size {text}: wanted WIDTHxHEIGHT in pixels, such as 160x120.")
    return {"width": int(width), "height": int(height)}
