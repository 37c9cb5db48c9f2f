"""The specification of a network: names and sizes, enough to build it with fresh weights. Knows no files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vidrnn.config import MOST_MEMBERS, DecoderName, HeadConfig, ReadoutName
from vidrnn.values import (
    INPUT_OF,
    LARGEST_SIDE,
    LONGEST_MOTION_SECONDS,
    LONGEST_SECONDS,
    MOST_FRAMES,
    WHOLE,
    WIDEST_FEATURES,
    FeatureSpec,
    Forecast,
    Grid,
    InputName,
    PictureMotion,
    Sampling,
    Size,
)

NetworkName = Literal["scores", "frames"]
"""`scores`: encoder, head and class scores; `frames`: encoder, head and a decoder that predicts the next frame."""


class Record(BaseModel):
    """A record of a stored file: frozen, and fields that this version does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


_Number = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ChannelOrder = Literal["rgb", "bgr", "grey"]


class PixelRecord(Record):
    """The pixels that an encoder from elsewhere wants: (pixel * scale - mean) / deviation, for pixels from 0 to 255."""

    channels: ChannelOrder
    mean: tuple[_Number, ...]
    """One number for each channel, in the order of the channels."""
    deviation: tuple[_Positive, ...]
    """As `mean`."""
    scale: _Positive = 1 / 255

    @model_validator(mode="after")
    def _one_number_for_each_channel(self) -> PixelRecord:
        count = 1 if self.channels == "grey" else 3
        if not len(self.mean) == len(self.deviation) == count:
            raise ValueError(f"mean and deviation: {self.channels} needs {count} of each")
        return self


class GraphRecord(Record):
    """A graph of another program that is an encoder. It is the file `encoder.onnx` in the model folder."""

    hash: str
    """Of the file's bytes, 32 hexadecimal digits."""
    width: int = Field(ge=1, le=WIDEST_FEATURES)
    """Features per picture."""
    input: str
    output: str
    """The names of its input and its output."""
    channels_last: bool = False
    """Whether a picture is (height, width, channels) and not (channels, height, width)."""
    whole_numbers: bool = False
    """Whether it takes pixels from 0 to 255 as uint8, and not normalised numbers."""
    one_at_once: bool = False
    """Whether it takes one picture at a time."""


class EncoderConfig(Record):
    """The encoder of a model, and whether training changed it."""

    name: str
    frozen: bool
    origin: str
    """Where its first weights came from: `imagenet`, `none` or the name of a file."""
    grey: bool = False
    motion: tuple[PictureMotion, ...] = ()
    """The motion that it sees beside each frame."""
    motion_seconds: float = Field(0.1, gt=0, le=LONGEST_MOTION_SECONDS)
    """How much earlier the frame is that it compares a frame with."""
    grid: Grid = WHOLE
    """The cells of a picture that a known encoder reads by themselves."""
    pixels: PixelRecord | None = None
    """Of an encoder from elsewhere: the pixels that it wants."""
    features: FeatureSpec | None = None
    """Where features from elsewhere take the place of an encoder."""
    graph: GraphRecord | None = None
    """Of an encoder that is a graph of another program."""

    @property
    def sees(self) -> str:
        """Its input beside or instead of colours: `, grey, difference and flow over 0.1 s`, or an empty text."""
        motion = f", {' and '.join(self.motion)} over {self.motion_seconds:g} s" if self.motion else ""
        cells = "" if self.grid == WHOLE else f", {self.grid[1]}x{self.grid[0]} cells"
        return ", grey" * self.grey + cells + motion

    def input_of(self, size: Size) -> str:
        """What it reads: pictures of `size`, such as `160x120 pixels`, or features, such as `5 per second`."""
        return f"{size} pixels" if self.features is None else f"{self.features.rate:g} per second"


class ForecastConfig(Record):
    """The part of a network that predicts frames."""

    context: int = Field(10, ge=1, le=1000)
    """Frames that it saw in training before it predicted by itself."""
    horizon: int = Field(10, ge=1, le=1000)
    """Frames that it predicted by itself."""
    decoder: DecoderName
    grey: bool = False
    """Whether it sees and predicts brightness only."""
    faint: float = Field(0.0, ge=0, lt=1)
    """Predicted brightness below this becomes black, for videos that are mostly black."""
    chosen: str = ""
    """Why this decoder was chosen, in a sentence."""

    @property
    def channels(self) -> int:
        """Channels of the pictures that it sees and predicts."""
        return 1 if self.grey else 3


class ModelSpec(Record):
    """A network and its input. The spec and the weights are the whole model."""

    network: NetworkName
    encoder: EncoderConfig
    head: HeadConfig
    readout: ReadoutName | None
    """None for scores of the steps only."""
    members: int = Field(1, ge=1, le=MOST_MEMBERS)
    """Heads on one encoder that answer together, of a network that scores classes."""
    forecast: ForecastConfig | None = None
    """Of a network that predicts frames."""
    height: int = Field(ge=1, le=LARGEST_SIDE)
    width: int = Field(ge=1, le=LARGEST_SIDE)
    frames: int = Field(ge=1, le=MOST_FRAMES)
    spacing_seconds: float = Field(ge=0.001, le=LONGEST_SECONDS)

    @model_validator(mode="after")
    def _forecast_of_frames(self) -> ModelSpec:
        if (self.network == "frames") != (self.forecast is not None):
            raise ValueError(f"network: is {self.network}, and forecast does not fit it")
        return self

    @property
    def size(self) -> Size:
        """Of the pictures that the encoder sees."""
        return Size(self.height, self.width)

    @property
    def sampling(self) -> Sampling:
        """Which frames a window holds."""
        return Sampling(self.frames, self.spacing_seconds)

    @property
    def inputs(self) -> tuple[InputName, ...]:
        """The inputs of the network beside frames. One that predicts frames knows the frame before from its state."""
        return tuple(INPUT_OF[name] for name in self.encoder.motion) if self.network == "scores" else ()

    @property
    def motion_seconds(self) -> float | None:
        """How much earlier the frame before each frame is; None for a network that needs no frame before."""
        return self.encoder.motion_seconds if self.inputs else None

    @property
    def shape(self) -> Forecast | None:
        """Context, horizon and channels of a network that predicts frames."""
        known = self.forecast
        return None if known is None else Forecast(known.context, known.horizon, known.channels)

    def describe(self) -> str:
        """The network in one line: `mobilenet_v2 (imagenet, frozen) > gru 128 > attention, 160x120 pixels, ...`."""
        encoder, forecast = self.encoder, self.forecast
        how = "frozen" if encoder.frozen else "trained"
        origin = f"{encoder.origin}, " if encoder.origin != "none" else ""
        motion = "change of features > " * self.head.motion
        end = forecast.decoder if forecast else self.readout or "each frame"
        layers = f", {self.head.layers} layers" * (self.head.depth > 1 and self.head.layers is not None)
        size = "" if "size" in self.head.unused else f" {self.head.units}"
        members = f" x{self.members}" * (self.members > 1)
        head = f"{self.head.name}{size}{members}{layers}{', both directions' * self.head.bidirectional}"
        first = f"{encoder.name} ({origin}{how}{encoder.sees})"
        if encoder.features:
            first = f"features ({encoder.features.width} wide)"
        chain = f"{first} > {motion}{head} > {end}"
        window = f"windows of {self.frames} frames"
        if forecast:
            window = f"{forecast.context} frames seen and {forecast.horizon} predicted"
        return f"{chain}, {encoder.input_of(self.size)}, {window}, {self.spacing_seconds:g} s apart"


class StepBeforeError(Exception):
    """An encoder of an earlier vidrnn compares each frame with the step before, which this vidrnn does not know."""


def current_spec(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored spec of this or an earlier vidrnn, in the form of this one. What is no spec is given back as it is.

    A network that predicts frames still compares each frame with the step before, under another name. Fields of the
    head that this version does not know are left out, since `HeadConfig` itself refuses them.

    Raises:
        StepBeforeError: it is of an earlier vidrnn, and its encoder compared each frame with the step before.
    """
    encoder, head = stored.get("encoder"), stored.get("head")
    if isinstance(encoder, dict) and encoder.get("differences"):
        if stored.get("network") != "frames":
            raise StepBeforeError
        stored = {**stored, "encoder": {**encoder, "differences": False, "motion": ["difference"]}}
    if isinstance(head, dict):
        stored = {**stored, "head": {name: head[name] for name in head if name in HeadConfig.model_fields}}
    return stored
