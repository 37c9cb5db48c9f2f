"""The settings of a training, validated: `RunConfig` travels as `config.toml`. Knows no networks and no films."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vidrnn.atomic import write_text
from vidrnn.errors import UsageError
from vidrnn.settings import COMPUTING, DATA, JOBS, LABELLED, LABELS, MAX_PIXELS, MODEL, RATE, READING, RUN, TIME, Flag
from vidrnn.values import (
    LARGEST_SIDE,
    LONGEST_MOTION_SECONDS,
    LONGEST_SECONDS,
    MOST_FRAMES,
    WHOLE,
    Grid,
    MotionName,
    Size,
)

DEFAULT_LAYERS = {"mingru": 2, "rglru": 2}
"""The default layers of heads of residual blocks; every other head has one."""

_UNITS = 128
"""The default size of heads."""
FEW_CLIPS = 400
"""Fewer training clips than this are few for a head behind a frozen encoder, which is then held back more."""
_UNUSED = {"linear": ("size", "layers", "bidirectional", "memory_frames")}
"""The settings of a head that mean nothing to it."""
_READOUTS: dict[str, ReadoutName] = {"linear": "statistics"}
"""The default readouts of heads; every other head has `attention`."""
MOST_MEMBERS = 32
_GIVEN = "given"
"""The key of a file of settings under which the names stand of those that were given."""

DecoderName = Literal["direct", "flow", "kernel"]
TrackerName = Literal["tensorboard", "mlflow", "wandb"]
ReadoutName = Literal["attention", "mean", "last", "statistics"]
LossName = Literal["cross-entropy", "focal", "asymmetric"]
LabelHolds = Literal["always", "somewhere"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @property
    def given(self) -> frozenset[str]:
        """The names of the settings that were given, those of a record inside as `head.size`."""
        return self._names(lambda record: record.model_fields_set)

    @property
    def named(self) -> frozenset[str]:
        """The names of all settings."""
        return self._names(lambda record: type(record).model_fields)

    @property
    def changed(self) -> frozenset[str]:
        """The names of the settings that differ from their defaults."""
        return self._names(
            lambda record: {
                name
                for name, field in type(record).model_fields.items()
                if isinstance(getattr(record, name), _Frozen)
                or getattr(record, name) != field.get_default(call_default_factory=True)
            }
        )

    def _names(self, of: Callable[[_Frozen], Iterable[str]]) -> frozenset[str]:
        found = set[str]()
        for name in of(self):
            inside = getattr(self, name)
            found |= {f"{name}.{one}" for one in inside._names(of)} if isinstance(inside, _Frozen) else {name}
        return frozenset(found)

    def with_given(self, names: Iterable[str]) -> Self:
        """The same values, of which those with these names count as given."""
        owned: dict[str, list[str]] = {}
        for owner, _, inner in (name.partition(".") for name in names):
            owned.setdefault(owner, []).append(inner)
        values: dict[str, Any] = {
            name: value.with_given(owned.get(name, ())) if isinstance(value, _Frozen) else value for name, value in self
        }
        return cast("Self", self.model_construct(_fields_set={*owned}, **values))


class HeadConfig(_Frozen):
    """A recurrent head: which one, how wide, how deep, and how far back it should remember at the start."""

    name: Annotated[
        str,
        Flag(
            "gru, lstm, rnn, mingru, rglru, linear for a linear classifier of the features, or none as a control; "
            "next-frame also: convgru, convlstm, which keep the picture.",
            unsaid="gru; next-frame: convgru",
            panel=MODEL,
            name="--head",
            metavar="NAME",
            commands=("train",),
        ),
    ] = "gru"
    size: Annotated[
        int | None,
        Flag(
            "Size of the head.",
            unsaid=f"{_UNITS}; 64 to classify from fewer than {FEW_CLIPS} training clips, frozen encoder",
            panel=MODEL,
            name="--units",
        ),
    ] = Field(None, ge=1, le=4096)
    """None: by the training of the encoder and the number of clips, see `vidrnn.train.recipes`; else see `units`."""
    layers: Annotated[int | None, Flag("Layers of the head.", unsaid="2 for mingru and rglru, else 1", panel=MODEL)] = (
        Field(None, ge=1, le=8)
    )
    """Cells above each other, or residual blocks; None: the default of the head, see `depth`."""
    bidirectional: Annotated[
        bool,
        Flag("Read in both directions; such a model answers a camera a window late.", panel=MODEL, commands=("train",)),
    ] = False
    dropout: Annotated[
        float | None,
        Flag(
            "Dropout before and after the head.",
            unsaid="by the encoder and the number of clips",
            panel=MODEL,
            metavar="SHARE",
        ),
    ] = Field(None, ge=0, lt=1)
    """On the features and on the sequence; None: by the training of the encoder and the number of clips."""
    projection: Annotated[
        int | None,
        Flag(
            "Reduce features to so many numbers before the head.",
            unsaid="with --grid 128, else none",
            panel=MODEL,
            metavar="N",
            commands=("train",),
        ),
    ] = Field(None, ge=1, le=4096)
    """The numbers that features become before the head sees them; None: the head sees the features themselves."""
    motion: Annotated[bool, Flag("The head sees how features change; --motion decides it.", commands=())] = False
    """Whether the head sees beside each frame's features how they changed since the step before."""
    memory_frames: Annotated[
        int | None,
        Flag(
            "Before training, units remember from 2 to this many frames.",
            unsaid="all of them 30",
            panel=MODEL,
            name="--memory",
            metavar="FRAMES",
        ),
    ] = Field(None, ge=2)
    """Gate biases are drawn so that units remember from 2 up to this many frames before training; None: the default
    number of frames, the same for all units."""

    @property
    def units(self) -> int:
        """How wide the head is."""
        return self.size or _UNITS

    @property
    def depth(self) -> int:
        """How many layers the head has."""
        return self.layers or DEFAULT_LAYERS.get(self.name, 1)

    @property
    def unused(self) -> tuple[str, ...]:
        """The settings that mean nothing to this head."""
        return _UNUSED.get(self.name, ())


class LabelsConfig(_Frozen):
    """How label files are read: for labels at each frame."""

    labels_as: Annotated[
        str | None,
        Flag(
            "The format of the labels, such as boris or elan.",
            unsaid="recognised by its content",
            panel=LABELS,
            name="--labels-as",
            metavar="FORMAT",
            commands=LABELLED,
        ),
    ] = None
    films: Annotated[
        str | None,
        Flag(
            "The folder of the labelled videos.",
            unsaid="beside the labels",
            panel=LABELS,
            name="--films",
            metavar="DIR",
            commands=LABELLED,
        ),
    ] = None
    label_rate: Annotated[
        float | None,
        Flag(
            "Frames per second that the labelling tool assumed, for labels that count frames.",
            unsaid="as the file says, else that of each video",
            panel=LABELS,
            name="--label-rate",
            metavar="FPS",
            commands=LABELLED,
        ),
    ] = Field(None, gt=0, allow_inf_nan=False)
    point_seconds: Annotated[
        float | None,
        Flag(
            "How long a point event lasts.",
            unsaid="one frame",
            panel=LABELS,
            name="--point",
            metavar="SECONDS",
            commands=LABELLED,
        ),
    ] = Field(None, gt=0, allow_inf_nan=False)
    subject: Annotated[
        str | None,
        Flag(
            "Labels of this subject only; each: every pair of subject and behaviour is a class.",
            unsaid="all subjects together",
            panel=LABELS,
            name="--subject",
            metavar="NAME",
            commands=LABELLED,
        ),
    ] = None
    unlabelled: Annotated[
        Literal["ignore", "none"] | None,
        Flag(
            "What moments without a label are. ignore: not known; none: no behaviour.",
            unsaid="as the format means it",
            panel=LABELS,
            name="--unlabelled",
            metavar="WHAT",
            commands=LABELLED,
        ),
    ] = None
    several: Annotated[
        bool | None,
        Flag(
            "Several behaviours may hold at once, or they exclude each other.",
            unsaid="as the labels overlap",
            panel=LABELS,
            name="--several/--exclusive",
            commands=READING,
        ),
    ] = None
    background: Annotated[
        str | None,
        Flag(
            "The class that stands for no behaviour.",
            unsaid="background, other, or moments without a label",
            panel=LABELS,
            name="--background",
            metavar="NAME",
            commands=READING,
        ),
    ] = None


def picture_size(text: str) -> dict[str, int]:
    """`160x120` as a width and a height, in pixels.

    Raises:
        UsageError: the text is no size.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise UsageError(f"--size {text}: wanted WIDTHxHEIGHT in pixels, such as 160x120.")
    return {"width": int(width), "height": int(height)}


_MOST_CELLS = 6


def grid_size(text: str) -> dict[str, Grid]:
    """`3x2` as rows and columns: (2, 3).

    Raises:
        UsageError: the text is no grid.
    """
    columns, _, rows = text.lower().partition("x")
    if not (
        columns.isdigit() and rows.isdigit() and 1 <= int(columns) <= _MOST_CELLS and 1 <= int(rows) <= _MOST_CELLS
    ):
        raise UsageError(f"--grid {text}: wanted COLUMNSxROWS from 1x1 to {_MOST_CELLS}x{_MOST_CELLS}, such as 3x2.")
    return {"grid": (int(rows), int(columns))}


_SIZE = Flag(
    "Size of the pictures that the encoder sees.",
    unsaid="by encoder and videos",
    panel=DATA,
    name="--size",
    metavar="WIDTHxHEIGHT",
    parse=picture_size,
)
_TRAIN = ("train",)
_ALONE = ("train", "check")
"""Not for several heads side by side."""
NO_MOTION = "none"
"""What `--motion` takes for a model that sees no motion."""


def motion_names(text: str) -> tuple[MotionName, ...]:
    """The motion that a text names, in the order of `MotionName`: `flow,change` as change and flow; none for `none`.

    Raises:
        ValueError: a name does not exist.
    """
    known: tuple[MotionName, ...] = get_args(MotionName)
    named = {name.strip() for name in text.split(",")}
    if named == {NO_MOTION}:
        return ()
    if not named <= set(known):
        raise ValueError(f"wanted {', '.join(known)} with commas between, or {NO_MOTION}, not {text}")
    return tuple(name for name in known if name in named)


class RunConfig(_Frozen):
    """All settings of `vidrnn train`, with their defaults.

    A field is the one statement of a setting: its type, its bounds, its default, and its flag.
    """

    data: Annotated[
        str | None,
        Flag(
            "A folder of class folders, or a CSV manifest: path,label[,group][,split].", name="DATA", commands=READING
        ),
    ] = None
    """The folder or manifest, as the run's own config.toml stores it."""
    task: Annotated[
        str,
        Flag(
            "classify: name the class of each video. label: name what happens at each frame. next-frame: predict the "
            "next frames and find anomalies.",
            panel=MODEL,
            commands=READING,
        ),
    ] = "classify"
    encoder: Annotated[
        str,
        Flag(
            "auto, small, a torchvision network such as mobilenet_v2, timm:NAME, or a file model.onnx.",
            panel=MODEL,
            metavar="NAME",
        ),
    ] = "auto"
    features: Annotated[
        str | None,
        Flag(
            "Features of the videos in place of an encoder: FILM.npy (time, width), --rate of them per second.",
            panel=MODEL,
            metavar="DIR",
            commands=READING,
        ),
    ] = None
    """The folder of features that are read in place of the films."""
    search: Annotated[
        bool,
        Flag("Search for the settings that were not given, behind a named encoder too.", panel=MODEL, commands=_TRAIN),
    ] = False
    weights: Annotated[
        str | None,
        Flag(
            "imagenet, imagenet_v2, none, or a file or model to start from.",
            unsaid="imagenet, where the encoder has them",
            panel=MODEL,
            metavar="NAME",
        ),
    ] = None
    """`imagenet`, `imagenet_v2`, `none` or a file; None: imagenet where the encoder has such weights."""
    fine_tune: Annotated[bool, Flag("Train a pretrained encoder too.", panel=MODEL)] = False
    grey: Annotated[bool, Flag("Show the encoder brightness only.", panel=MODEL)] = False
    grid: Annotated[
        Grid,
        Flag(
            "Columns and rows of cells that a known encoder reads by themselves, so that it tells where things are.",
            unsaid="1x1, the whole picture",
            panel=MODEL,
            metavar="CxR",
            commands=_TRAIN,
            parse=grid_size,
        ),
    ] = WHOLE
    """Rows and columns of the cells of a picture."""
    motion: Annotated[
        tuple[MotionName, ...],
        Flag(
            "Motion that the model sees: change of features, difference of frames, optical flow; commas between, or "
            "none.",
            unsaid=NO_MOTION,
            panel=MODEL,
            metavar="NAMES",
            parse=lambda text: {"motion": text},
        ),
    ] = ()
    """What the model sees of motion. `change`: the head sees how features changed since the step before. `difference`:
    the encoder sees how pixels changed. `flow`: the encoder sees the optical flow, if it is a pretrained one."""
    motion_seconds: Annotated[
        float,
        Flag("How far difference and flow look back.", panel=MODEL, metavar="SECONDS"),
    ] = Field(0.1, gt=0, le=LONGEST_MOTION_SECONDS)
    """How much earlier the frame is that `difference` and `flow` compare a frame with."""
    head: HeadConfig = HeadConfig()
    labels: LabelsConfig = LabelsConfig()
    readout: Annotated[
        ReadoutName | None,
        Flag("How frames become one answer for the clip.", unsaid="attention; linear: statistics", panel=MODEL),
    ] = None
    """None: the default of the head, see `readout_name`."""
    members: Annotated[
        int, Flag("Heads that learn side by side on one encoder; the answer is the mean of theirs.", panel=MODEL)
    ] = Field(1, ge=1, le=MOST_MEMBERS)
    context: Annotated[
        int,
        Flag("next-frame: frames that it sees before it predicts.", panel=DATA, commands=_ALONE),
    ] = Field(10, ge=1, le=1000)
    horizon: Annotated[int, Flag("next-frame: frames that it predicts.", panel=DATA, commands=_ALONE)] = Field(
        10, ge=1, le=1000
    )
    decoder: Annotated[
        DecoderName | None,
        Flag(
            "next-frame: direct paints each frame anew, flow moves pixels, kernel moves patches.",
            unsaid="the one that predicts the videos best",
            panel=MODEL,
            metavar="NAME",
            commands=_TRAIN,
        ),
    ] = None
    live: Annotated[
        bool,
        Flag(
            "label: the model answers a camera at once, and so reads forward only; without it, it reads both ways.",
            panel=MODEL,
            commands=_TRAIN,
        ),
    ] = False
    label_holds: Annotated[
        LabelHolds, Flag("A clip's class shows at every moment of it, or only somewhere in it.", panel=DATA)
    ] = "always"
    """Whether a clip's class shows at every moment of it, as walking does, or only somewhere in it, as a word does. In
    the second case windows in training are not cut shorter, since some would lose the word."""

    frames: Annotated[int, Flag("Frames in a window.", panel=DATA, commands=READING)] = Field(16, ge=1, le=MOST_FRAMES)
    spacing_seconds: Annotated[
        float | None,
        Flag(
            "Time between two frames of a window.",
            unsaid="a window covers the median clip; next-frame: every frame",
            panel=DATA,
            name="--spacing",
            metavar="SECONDS",
            commands=READING,
        ),
    ] = Field(None, ge=0.0001, le=LONGEST_SECONDS)
    """None: a window covers the median training clip."""
    height: Annotated[int | None, _SIZE] = Field(None, ge=8, le=LARGEST_SIDE)
    width: Annotated[int | None, _SIZE] = Field(None, ge=8, le=LARGEST_SIDE)
    """None for both: chosen by the encoder and the films."""
    rate: Annotated[float | None, Flag(RATE.help, panel=DATA, metavar=RATE.metavar, commands=READING)] = Field(
        None, gt=0
    )
    max_pixels: Annotated[
        int | None,
        Flag(MAX_PIXELS.help, unsaid=MAX_PIXELS.unsaid, panel=DATA, metavar=MAX_PIXELS.metavar, commands=READING),
    ] = Field(None, ge=1)
    flip: Annotated[
        bool | None,
        Flag(
            "Mirrored videos are of the same class.",
            unsaid="if a linear model shows it",
            panel=DATA,
            name="--flip/--no-flip",
        ),
    ] = None
    """None: mirrored films count as the same class if a model that learnt from plain ones answers alike for them."""
    augment: Annotated[
        float,
        Flag(
            "How strongly clips are shifted, scaled, relit and sped up or slowed down while an encoder trains, 0 to 2.",
            panel=DATA,
        ),
    ] = Field(1.0, ge=0, le=2)
    """The strength of random shifts, scales, light and pace while an encoder trains; 0: none."""

    epochs: Annotated[int | None, Flag("The most epochs to train.", unsaid="by the number of clips", panel=TIME)] = (
        Field(None, ge=1)
    )
    """None: chosen by the encoder and the number of clips."""
    minutes: Annotated[
        float | None, Flag("The longest time to train.", unsaid="no limit", panel=TIME, commands=_TRAIN)
    ] = Field(None, gt=0)
    minibatch: Annotated[int | None, Flag("Clips in a minibatch.", unsaid="by the encoder", panel=TIME)] = Field(
        None, ge=2
    )
    learning_rate: Annotated[float | None, Flag("Learning rate of AdamW.", unsaid="by the encoder", panel=TIME)] = (
        Field(None, gt=0)
    )
    weight_decay: Annotated[
        float | None,
        Flag(
            "Weight decay of AdamW.",
            unsaid=f"0.05; 0.1 to classify from fewer than {FEW_CLIPS} training clips, frozen; next-frame: 0.0001",
            panel=TIME,
        ),
    ] = Field(None, ge=0)
    """None: by the training of the encoder and the number of clips."""
    label_smoothing: Annotated[
        float, Flag("Share of the truth that goes to the other classes.", panel=TIME, metavar="SHARE")
    ] = Field(0.1, ge=0, lt=1)
    loss: Annotated[
        LossName,
        Flag(
            "label: cross-entropy; focal counts frames less that are answered right already; asymmetric is the same "
            "for several behaviours at once.",
            panel=TIME,
            metavar="NAME",
            commands=_TRAIN,
        ),
    ] = "cross-entropy"
    patience: Annotated[
        int | None,
        Flag(
            "Stop after so many epochs without a better model.",
            unsaid="by the number of epochs",
            panel=TIME,
            metavar="EPOCHS",
            commands=_TRAIN,
        ),
    ] = Field(None, ge=1)
    """Epochs without a better validation macro-F1 before training stops."""
    seed: Annotated[int, Flag("The same seed gives the same weights.", panel=TIME, commands=READING)] = Field(0, ge=0)
    jobs: Annotated[int | None, Flag(JOBS.help, unsaid=JOBS.unsaid, panel=COMPUTING, commands=READING)] = Field(
        None, ge=1
    )
    """Films, and shares of a minibatch, computed at once; None: one per core. It changes no result."""
    shares: Annotated[
        int,
        Flag("Shares that a minibatch is computed in. Each is normalised by itself.", panel=COMPUTING, metavar="N"),
    ] = Field(4, ge=1, le=64)
    """The most threads and processes that can train together. The weights depend on it."""
    checkpoint_minutes: Annotated[
        float, Flag("The most minutes between two checkpoints.", panel=COMPUTING, metavar="MINUTES")
    ] = Field(2.0, gt=0)
    cache_size: Annotated[
        str | None,
        Flag(
            "The most that the cache of decoded videos may hold, such as 20GB.",
            unsaid="a quarter of the free disk",
            panel=COMPUTING,
            metavar="SIZE",
            commands=(*READING, "cache"),
        ),
    ] = None

    test: Annotated[bool, Flag("Split into train and val only.", panel=DATA, commands=READING)] = True
    report: Annotated[bool, Flag("Do not write report.html, the page of the run.", panel=RUN, commands=_TRAIN)] = True
    """Whether training ends by writing the answers and the page of the run."""
    folds: Annotated[
        int | None, Flag("Score by K folds, then train on all clips.", panel=DATA, metavar="K", commands=_ALONE)
    ] = Field(None, ge=2, le=50)

    track: Annotated[
        TrackerName | None,
        Flag(
            "Another program that records the training too.",
            unsaid="none; metrics.jsonl holds the same",
            panel=RUN,
            commands=_TRAIN,
        ),
    ] = None
    license: Annotated[
        str | None,
        Flag(
            "The licence of the model, for its card, as Hugging Face names it: mit, apache-2.0, cc-by-4.0.",
            unsaid="none is named",
            panel=RUN,
            metavar="NAME",
            commands=_TRAIN,
        ),
    ] = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$")

    @field_validator("motion", mode="before")
    @classmethod
    def _named_motion(cls, motion: Any) -> Any:
        """The names in a list, or in a text with commas between."""
        if isinstance(motion, list | tuple) and all(isinstance(name, str) for name in motion):
            motion = ",".join(motion) or NO_MOTION
        if not isinstance(motion, str):
            raise ValueError(f"wanted {', '.join(get_args(MotionName))} with commas between, or {NO_MOTION}")
        return motion_names(motion)

    @model_validator(mode="after")
    def _both_sides_of_the_size(self) -> RunConfig:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        return self

    @property
    def size(self) -> Size | None:
        """The picture's size where it was given."""
        return Size(self.height, self.width) if self.height and self.width else None

    @property
    def encoder_file(self) -> Path | None:
        """The file that `encoder` names, if it names one."""
        return Path(self.encoder) if self.encoder.lower().endswith(".onnx") else None

    @property
    def features_folder(self) -> Path | None:
        """The folder of features, if there is one."""
        return None if self.features is None else Path(self.features)

    @property
    def readout_name(self) -> ReadoutName:
        """The readout: the one that was given, or the default of the head."""
        return self.readout or _READOUTS.get(self.head.name, "attention")

    def located(self, data: Path) -> RunConfig:
        """These settings as a run stores them: with the absolute paths of DATA, of features and of the encoder's file.

        A run may be resumed in another folder.
        """
        paths = {"data": data, "encoder": self.encoder_file, "features": self.features_folder}
        return self.model_copy(update={name: str(path.resolve()) for name, path in paths.items() if path is not None})

    def with_paths_of(self, other: RunConfig) -> RunConfig:
        """These settings with the paths of DATA, of features and of the encoder's file that other settings hold."""
        names = ["data", "features"] if self.encoder_file is None else ["data", "features", "encoder"]
        return self.model_copy(update={name: getattr(other, name) for name in names})

    def with_defaults(self, defaults: Mapping[str, Any]) -> RunConfig:
        """These settings, with a task's own defaults for fields that were not given.

        `head.size` names a field of the head.
        """
        update: dict[str, Any] = {}
        for name, value in defaults.items():
            owner, _, inner = name.partition(".")
            if not inner:
                said = name in self.model_fields_set and getattr(self, name) is not None
                update |= {} if said else {name: value}
            else:
                record = update.get(owner, getattr(self, owner))
                if inner not in record.model_fields_set:
                    update[owner] = record.model_copy(update={inner: value})
        return self.model_copy(update=update)

    def write(self, path: Path) -> None:
        """Write as TOML: all settings, and under `given` the names of those that were given.

        A search leaves what was given as it is, so a resumed one must know. Fields that are None are left out, and so
        read back as None.

        Raises:
            OutputError: the file cannot be written.
        """
        settings = {_GIVEN: sorted(self.given), **self.model_dump(mode="json", exclude_none=True)}
        write_text(path, tomli_w.dumps(settings), advice="Choose another --out.")

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Read TOML written by `write` or by a person.

        What a person changed in a file of `write` counts as given too.

        Raises:
            UsageError: the file is missing, is not TOML, or names what does not exist.
        """
        if path.exists() and not path.is_file():  # a pipe or a device would be read for ever
            raise UsageError(f"{path}: wanted a TOML file of settings, found no ordinary file. Give a file.")
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"{path}: no such configuration file.") from None
        except (OSError, ValueError, RecursionError) as error:  # tomllib itself fails on numbers that are too long
            raise UsageError(f"{path}: wanted a TOML file of settings, found: {error}.") from None
        names = settings.get(_GIVEN)
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            return cls.of(settings, source=str(path))
        config = cls.of({name: value for name, value in settings.items() if name != _GIVEN}, source=str(path))
        return config.with_given({*names} & config.named | config.changed)

    @classmethod
    def of(cls, settings: dict[str, Any], source: str, flags: Mapping[str, str] | None = None) -> RunConfig:
        """Check settings from `source`, a name for the error message.

        `flags`: the flag that gave a setting, by the setting's name, such as `head.size`; errors name the flag.

        Raises:
            UsageError: a setting does not exist or has a value it cannot have.
        """
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise UsageError(f"{source}: {in_words(error, flags or {})}") from None


def in_words(error: ValidationError, flags: Mapping[str, str]) -> str:
    """Pydantic's errors as one sentence; settings are named by their flags, where there are some."""
    errors = error.errors()
    names = [".".join(map(str, one["loc"])) or "settings" for one in errors[:3]]
    parts = [f"{flags.get(name, name)}: {one['msg'].lower()}" for name, one in zip(names, errors, strict=False)]
    more = f" and {len(errors) - 3} more" if len(errors) > 3 else ""
    return "; ".join(parts) + more
