"""How a setting is stated: once, as a field with a flag in its annotation. And the settings of `vidrnn predict`.

This module loads neither pydantic nor numpy, and so a cold `vidrnn predict` does not load them for its flags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from vidrnn.errors import UsageError

DATA, LABELS, MODEL, TIME, RUN = "Videos", "Labels at each frame", "Model", "Training", "Run"
TIMELINE, NEXT_FRAMES, COMPUTING = "Timeline", "Next frames", "Computing"
MANY, LIVE = "Many videos", "Cameras and streams"
"""The panels of `--help`."""

TRAINING = ("train", "compare")
"""The commands that train."""
READING = (*TRAINING, "check")
"""The commands that read DATA as a training does."""
LABELLED = (*READING, "evaluate", "labels")
"""The commands that read labels of frames."""


@dataclass(frozen=True)
class Flag:
    """What the command line says of a setting. It stands in the `Annotated` type of the setting's field.

    A default needs no words: `--help` shows that of the field, unless `unsaid` tells what holds instead.
    """

    help: str
    unsaid: str = ""
    """What holds where the flag is not given; empty: the field's default."""
    panel: str | None = None
    """The panel of `--help`; None: the first one."""
    name: str = ""
    """`--units`, or `--flip/--no-flip` for a setting that is switched on and off; empty: made from the field's name."""
    metavar: str | None = None
    """What `--help` shows in place of a value; None: a letter or a word for its type."""
    commands: tuple[str, ...] = TRAINING
    """The commands that have the flag; none: only a file of settings, or vidrnn itself, sets it."""
    least: float | None = None
    most: float | None = None
    """The bounds of a number, where the field itself does not check them."""
    parse: Callable[[str], Mapping[str, Any]] | None = None
    """For a flag that states several settings at once: its text to their values."""


PerClass = float | dict[str, float]
"""A number for all classes, or one for each class by name; as in `vidrnn.values`, which loads numpy."""

JOBS = Flag("Videos to process at the same time.", unsaid="one per processor core")
RATE = Flag(
    "Frames per second, in place of the time stamps of the videos. Folders of numbered pictures and features need it.",
    metavar="FPS",
)
MAX_PIXELS = Flag(
    "The largest picture that is decoded, in pixels. Memory grows with it.", metavar="N", unsaid="64 million"
)
"""Flags of several commands."""


@dataclass(frozen=True)
class Setting:
    """A field that a flag states."""

    path: tuple[str, ...]
    """The field's name, after that of the field that it lies in: `("head", "size")`."""
    kind: Any
    """The field's type, without `None` and without annotations."""
    default: Any
    flag: Flag

    @property
    def flag_name(self) -> str:
        """As it is typed: `--units`."""
        return self.declaration.partition("/")[0]

    @property
    def declaration(self) -> str:
        """The flag as Typer takes it: its name, and for some the name that switches it off."""
        plain = self.path[-1].replace("_", "-")
        return self.flag.name or (f"--no-{plain}" if self.default is True else f"--{plain}")

    @property
    def parameter(self) -> str:
        """The name of the command's parameter: that of the flag."""
        return self.flag_name.lstrip("-").replace("-", "_").lower()

    @property
    def switches_off(self) -> bool:
        """Whether the flag says no to a setting that holds otherwise."""
        return self.kind is bool and self.default is True and "/" not in self.declaration

    @property
    def help(self) -> str:
        """The sentence of `--help`, with what holds where the flag is not given."""
        plain = None if self.default is None or isinstance(self.default, bool) else f"{self.default}"
        unsaid, text = self.flag.unsaid or plain, self.flag.help
        if get_origin(self.kind) is Literal and self.flag.metavar is None:
            *others, last = get_args(self.kind)
            text = f"{text.removesuffix('.')}: {', '.join(others)} or {last}."
        return f"{text} [{unsaid}]" if unsaid else text

    @property
    def metavar(self) -> str:
        """What `--help` shows in place of a value; a flag that is only switched on has none."""
        kind = str if get_origin(self.kind) is Literal else self.kind
        return self.flag.metavar or {bool: "", int: "N", float: "X", str: "NAME"}[kind]

    def check_bounds(self, value: float) -> None:
        """Refuse a number outside the flag's bounds.

        Raises:
            UsageError: it is.
        """
        least, most = self.flag.least, self.flag.most
        if (least is not None and not value >= least) or (most is not None and not value <= most):
            wanted = f"at least {least:g}" if most is None else f"a number from {least:g} to {most:g}"
            raise UsageError(f"{self.flag_name} {value:g}: wanted {wanted}.")


@cache
def settings_of(config: type, command: str | None = None) -> tuple[Setting, ...]:
    """The settings that are fields of `config`, and of the configurations in it, in their order.

    `command`: those only that this command has a flag for.

    Raises:
        TypeError: a field has no `Flag`.
    """
    return tuple(_settings_of(config, command))


def _settings_of(config: type, command: str | None) -> Iterator[Setting]:
    fields = getattr(config, "model_fields", None) or config.__dataclass_fields__  # type: ignore[attr-defined]
    for name, hint in get_type_hints(config, include_extras=True).items():
        if name not in fields:
            continue
        if isinstance(hint, type) and hasattr(hint, "model_fields"):
            for inner in settings_of(hint, command):
                yield Setting((name, *inner.path), inner.kind, inner.default, inner.flag)
            continue
        flag = next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Flag)), None)
        if flag is None:
            raise TypeError(f"{config.__name__}.{name}: a setting needs a Flag in its annotation.")
        if command is None or command in flag.commands:
            yield Setting((name,), _plain(hint), fields[name].default, flag)


def _plain(hint: Any) -> Any:
    """A type without annotations and without None."""
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(bare) in (Union, UnionType):
        kinds = [kind for kind in get_args(bare) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 else bare
    return bare


_PREDICT = ("predict",)
_READERS = ("predict", "evaluate")


LONGEST_SMOOTHING_SECONDS = 60.0
"""As in `vidrnn.values`, which loads numpy."""
LONGEST_SHORTEST_SECONDS = 1_000_000
"""The most that `--shortest` takes, as a decision rule does; its module needs numpy, which `--help` does not load."""


def _per_class(name: str, most: float) -> Callable[[str], Mapping[str, Any]]:
    """A function from the text of a flag to the setting `name`: a number, or numbers of classes as `dig=0.3,rear=0.5`.

    `most`: the largest number; the smallest is 0.
    """

    def number(text: str, whole: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value <= most:
            wanted = f"a number from 0 to {most:.0f}"
            raise UsageError(f"--{name} {whole}: wanted {wanted}, or such numbers of classes: dig=0.3,rear=0.5.")
        return value

    def parse(text: str) -> Mapping[str, Any]:
        if "=" not in text:
            return {name: number(text, text)}
        pairs = [part.rpartition("=") for part in text.split(",")]
        return {name: {label.strip(): number(value, text) for label, _, value in pairs}}

    return parse


@dataclass(frozen=True)
class PredictConfig:
    """Everything that `vidrnn predict` can be told, and with it what other commands are told of reading videos.

    None: the default depends on the model or on the machine.
    """

    threshold: Annotated[
        PerClass | None,
        Flag(
            "Answers less probable than this are called unknown [0]; label, several at once: a behaviour begins at it "
            "[as the model stores it]; next-frame: frames with at least this score are anomalies [0.5]. Also of single "
            "classes: dig=0.3,rear=0.5.",
            commands=_PREDICT,
            metavar="SHARE",
            parse=_per_class("threshold", 1),
        ),
    ] = None
    rollout: Annotated[
        int | None,
        Flag(
            "next-frame: frames to predict beyond the end of the video.",
            metavar="FRAMES",
            panel=NEXT_FRAMES,
            commands=_PREDICT,
            least=0,
        ),
    ] = None
    normalised: Annotated[
        bool, Flag("next-frame: add the score of Liu et al. 2018, as papers do.", panel=NEXT_FRAMES, commands=_PREDICT)
    ] = False
    hysteresis: Annotated[
        PerClass | None,
        Flag(
            "How much more probable another answer must be to take over. Also of single classes: dig=0.3.",
            unsaid="as the model stores it",
            metavar="SHARE",
            panel=TIMELINE,
            commands=_PREDICT,
            parse=_per_class("hysteresis", 1),
        ),
    ] = None
    shortest: Annotated[
        PerClass | None,
        Flag(
            "The shortest segment of the timeline. Also of single classes: dig=0.3.",
            unsaid="as the model stores it",
            metavar="SECONDS",
            panel=TIMELINE,
            commands=_PREDICT,
            parse=_per_class("shortest", LONGEST_SHORTEST_SECONDS),
        ),
    ] = None
    smoothing: Annotated[
        float | None,
        Flag(
            "label: scores become means over the time around them: the nearer, the more a moment counts.",
            unsaid="as the model stores it",
            metavar="SECONDS",
            panel=TIMELINE,
            commands=_PREDICT,
            least=0,
            most=LONGEST_SMOOTHING_SECONDS,
        ),
    ] = None
    reset: Annotated[
        Literal["cut", "window", "never"] | None,
        Flag(
            "When the memory is cleared. cut: at each cut and each window; window: at each window; never.",
            metavar="WHEN",
            unsaid="as the model stores it",
            panel=TIMELINE,
            commands=_READERS,
        ),
    ] = None
    rate: Annotated[float | None, Flag(RATE.help, metavar=RATE.metavar, commands=(*_READERS, "export", "info"))] = None
    max_pixels: Annotated[
        int | None,
        Flag(
            MAX_PIXELS.help,
            unsaid=MAX_PIXELS.unsaid,
            metavar=MAX_PIXELS.metavar,
            panel=COMPUTING,
            commands=(*_READERS, "export", "info"),
            least=1,
        ),
    ] = None
    runtime: Annotated[
        Literal["onnx", "torch", "openvino"] | None,
        Flag(
            "The library that computes.",
            unsaid="onnx on a processor, torch on a GPU",
            panel=COMPUTING,
            commands=_READERS,
        ),
    ] = None
    device: Annotated[
        str,
        Flag(
            "Where to compute: auto, cpu, cuda, one of several GPUs as cuda:1, or mps on a Mac.",
            metavar="NAME",
            panel=COMPUTING,
            commands=(*_READERS, *TRAINING),
        ),
    ] = "auto"
    jobs: Annotated[
        int | None, Flag(JOBS.help, unsaid=JOBS.unsaid, panel=COMPUTING, commands=(*_READERS, "export"), least=1)
    ] = None
    threads: Annotated[
        int | None,
        Flag(
            "Threads that compute for one video, beside the one that decodes it.",
            unsaid="1",
            panel=COMPUTING,
            commands=_READERS,
            least=1,
        ),
    ] = None

    out: Annotated[
        Path | None,
        Flag(
            "Write answers into this folder, and continue where an earlier run stopped.",
            metavar="DIR",
            commands=_PREDICT,
        ),
    ] = None
    format: Annotated[
        str | None,
        Flag(
            "One or more of jsonl, csv, steps, parquet, srt, vtt, labelstudio, boris, elan, audacity, budget, video, "
            "mp4, with commas between.",
            unsaid="jsonl",
            metavar="NAMES",
            commands=_PREDICT,
        ),
    ] = None
    explain: Annotated[
        Path | None,
        Flag(
            "Of one video: write into this folder when and where it decided the answers.",
            metavar="DIR",
            commands=_PREDICT,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        Flag(
            "Give up on a video after so long.",
            unsaid="300, and 60 more for each megabyte",
            panel=MANY,
            metavar="SECONDS",
            commands=_PREDICT,
            least=1,
        ),
    ] = None
    shard: Annotated[
        str | None,
        Flag(
            "Process one part of the videos only, such as 2/4.",
            unsaid="by RANK, WORLD_SIZE",
            panel=MANY,
            metavar="K/N",
            commands=_PREDICT,
        ),
    ] = None
    engine: Annotated[
        Literal["local", "ray"] | None,
        Flag("Processes of this machine, or a Ray cluster.", unsaid="local", panel=MANY, commands=_PREDICT),
    ] = None

    show: Annotated[bool, Flag("Show the picture and the answer in a window.", panel=LIVE, commands=_PREDICT)] = False
    reconnect: Annotated[
        float,
        Flag(
            "Try for so long to open a stream again that broke off.",
            panel=LIVE,
            metavar="SECONDS",
            commands=_PREDICT,
            least=0,
        ),
    ] = 60
    silence: Annotated[
        float,
        Flag(
            "A stream without a frame for so long has broken off.",
            panel=LIVE,
            metavar="SECONDS",
            commands=_PREDICT,
            least=1,
        ),
    ] = 10
