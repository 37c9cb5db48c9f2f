"""A graph of another program that is to be an encoder: it is read, checked and described. It is data and runs no code.

A graph may use the operators of ONNX only, and it holds all of its weights itself. So it cannot make onnxruntime load a
library or read another file. The pixels that it wants are stated in a TOML file beside it or in its own metadata.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from vidrnn.config import in_words, picture_size
from vidrnn.errors import ModelError, UsageError, first_line
from vidrnn.nets.encoders.onnx_file import OnnxEncoder
from vidrnn.nets.spec import ChannelOrder, EncoderConfig, GraphRecord, PixelRecord
from vidrnn.values import WIDEST_FEATURES, Size

ENCODER_NAME = "encoder.onnx"
"""The file of the graph in a model folder."""
LARGEST_BYTES = 1_000_000_000
"""The model's portable file holds the graph and the head, and no ONNX file is larger than 2 GB."""
METADATA_KEY = "vidrnn.encoder"
"""The key of the preprocessing in the metadata of a graph, as JSON."""
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_EXAMPLE = """
    size = "224x224"                    # width x height; may be left out
    channels = "rgb"                    # or "bgr"
    scale = "1/255"                     # or 1: for means of 0 to 255
    mean = [0.485, 0.456, 0.406]
    deviation = [0.229, 0.224, 0.225]"""


def _number(value: Any) -> Any:
    """`1/255` as a number; anything else as it is."""
    return 1 / 255 if value == "1/255" else value


class _Preprocessing(BaseModel):
    """The preprocessing as its owner states it."""

    model_config = ConfigDict(extra="forbid")

    size: str | None = None
    channels: ChannelOrder | None = None
    scale: Annotated[float, BeforeValidator(_number), Field(gt=0, allow_inf_nan=False)] = 1 / 255
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None
    output: str | None = None

    @property
    def picture_size(self) -> Size | None:
        """The stated size.

        Raises:
            UsageError: the text is no size.
        """
        return Size(**picture_size(self.size)) if self.size else None


@dataclass(frozen=True)
class PictureGraph:
    """A graph that was read and checked."""

    file: Path
    content: bytes
    input: _Input
    outputs: tuple[str, ...]
    """The outputs that may be the vector, in their order."""
    pixels: PixelRecord
    size: Size | None
    """The size that it wants; None: any."""

    def config(self, size: Size) -> EncoderConfig:
        """The encoder for pictures of `size`. The graph is run once, to see which output is a vector, and its width.

        Raises:
            UsageError: the graph takes no such pictures, or none of its outputs is one vector for each picture.
        """
        if self.size is not None and size != self.size:
            raise UsageError(f"{self.file}: takes pictures of {self.size} pixels. Leave out --size {size}.")
        ranks = []
        for output in self.outputs:
            shape = self._shape_of(output, size)
            is_vector = len(shape) >= 2 and shape[0] == 1 and all(side == 1 for side in shape[2:])
            if is_vector and 1 <= shape[1] <= WIDEST_FEATURES:
                return self._config(output, width=shape[1])
            ranks.append(f"{output} {'x'.join(map(str, shape))}")
        raise UsageError(
            f"{self.file}: no output is one vector for each picture. For one picture it gives "
            f"{', '.join(ranks) or 'no floats'}. "
            f'Name another output in {self.file.with_suffix(".toml").name}: output = "NAME", or export the graph up to '
            "its pooled features."
        )

    def _config(self, output: str, width: int) -> EncoderConfig:
        record = GraphRecord(
            hash=hash_of(self.content),
            width=width,
            input=self.input.name,
            output=output,
            channels_last=self.input.channels_last,
            whole_numbers=self.input.whole_numbers,
            one_at_once=self.input.one_at_once,
        )
        return EncoderConfig(name="onnx", frozen=True, origin=self.file.name, pixels=self.pixels, graph=record)

    def _shape_of(self, output: str, size: Size) -> tuple[int, ...]:
        """The shape of an output for one black picture."""
        try:
            return probe(self._config(output, 1), self.content, size)
        except ModelError as error:
            advice = "" if self.size else f' State the size that it was made for: size = "WIDTHxHEIGHT" in {_TOML}.'
            raise UsageError(f"{self.file}: {error}{advice}") from None


_TOML = "a .toml file of the same name beside it"


def read_picture_graph(file: Path) -> PictureGraph:
    """Read a graph that the user named, and the preprocessing that is stated beside it or in it.

    Raises:
        UsageError: it cannot be an encoder, or its preprocessing is not stated.
    """
    try:
        if not file.is_file():
            raise UsageError(f"--encoder {file}: there is no such file.")
        if file.stat().st_size > LARGEST_BYTES:
            raise UsageError(
                f"--encoder {file}: has {file.stat().st_size / 1e9:.1f} GB, and an encoder may have "
                f"{LARGEST_BYTES / 1e9:g} GB, since it reads every frame. Use a smaller one."
            )
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"--encoder {file}: cannot be read: {error.strerror or error}.") from None
    try:
        model = checked(content)
        given = _input_of(model)
    except ModelError as error:
        raise UsageError(f"--encoder {file}: {error}") from None
    stated, source = _stated(file, model)
    pixels = _pixels(stated, given, file, source)
    outputs = _float_outputs(model)
    if stated.output is not None:
        if stated.output not in outputs:
            raise UsageError(
                f"{source}: output {stated.output}: the graph has no such output. It has {_list(outputs)}."
            )
        outputs = (stated.output,)
    return PictureGraph(file, content, given, outputs, pixels, _size(stated, given, source))


def probe(config: EncoderConfig, content: bytes, size: Size) -> tuple[int, ...]:
    """The shape of the graph's output for one black picture.

    Raises:
        ModelError: the graph does not take it.
    """
    encoder = OnnxEncoder(config, size)
    encoder.take_graph(content)
    return encoder.shape_for(size)


def give_graph(encoder: OnnxEncoder, content: bytes, size: Size) -> None:
    """Give an encoder its graph, after the checks that a graph of unknown origin needs.

    Raises:
        ModelError: it is another graph, or it is not as the header says.
    """
    if hash_of(content) != encoder.graph.hash:
        raise ModelError("it is not the file that the model was trained with")
    model, record = checked(content), encoder.graph
    given = _input_of(model)
    same = (record.input, record.channels_last, record.whole_numbers, record.one_at_once)
    if record.output not in _float_outputs(model) or same != (
        given.name,
        given.channels_last,
        given.whole_numbers,
        given.one_at_once,
    ):
        raise ModelError("it is not as the header of the model describes it")
    encoder.take_graph(content)
    shape = encoder.shape_for(size)
    if shape[:2] != (1, record.width) or any(side != 1 for side in shape[2:]):
        raise ModelError("it is not as the header of the model describes it")


def checked(content: bytes) -> onnx.ModelProto:
    """The graph in `content`, once it is known to be one that vidrnn may compute.

    Raises:
        ModelError: it is damaged, needs other files, or uses operators that are not those of ONNX.
    """
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise ModelError("is not an ONNX file, or it is damaged. Export it again.") from None
    if any(_is_external(tensor) for tensor in _messages(model, TensorProto)):
        raise ModelError(
            "keeps weights in other files (external data), and vidrnn reads none that were not named. Store all in one "
            "file: onnx.save_model(model, FILE, save_as_external_data=False)."
        )
    if foreign := sorted({node.op_type for node in _messages(model, onnx.NodeProto) if node.domain not in _DOMAINS}):
        raise ModelError(
            f"has operators that are not those of ONNX: {_list(foreign)}. Export it with the operators of ONNX alone."
        )
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ModelError(f"is not valid ONNX: {first_line(error)}. Export it again.") from None
    return model


def hash_of(content: bytes) -> str:
    """The hash of a graph, 32 hexadecimal digits."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True)
class _Input:
    """The input of a graph."""

    name: str
    channels: int
    channels_last: bool
    whole_numbers: bool
    one_at_once: bool
    height: int | None
    width: int | None
    """None where any is taken."""


def _input_of(model: onnx.ModelProto) -> _Input:
    """The one input of the graph.

    Raises:
        ModelError: there are others, or it is no picture.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    shown = ", ".join(_shown(value) for value in inputs) or "no input"
    if len(inputs) != 1 or len(sides := _sides(inputs[0])) != 4:
        _refuse_input(shown)
    (value,), (batch, *rest) = inputs, sides
    kind = value.type.tensor_type.elem_type
    orders = {False: rest, True: [rest[2], rest[0], rest[1]]}
    last = next((last for last, (channels, _, _) in orders.items() if channels in (1, 3)), None)
    if kind not in (TensorProto.FLOAT, TensorProto.UINT8) or batch not in (None, 1) or last is None:
        _refuse_input(shown)
    channels, height, width = orders[last]
    return _Input(
        name=value.name,
        channels=channels or 0,
        channels_last=last,
        whole_numbers=kind == TensorProto.UINT8,
        one_at_once=batch == 1,
        height=height,
        width=width,
    )


def _float_outputs(model: onnx.ModelProto) -> tuple[str, ...]:
    """The outputs that are floating-point tensors, in their order."""
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    return tuple(one.name for one in model.graph.output if one.type.tensor_type.elem_type in floats)


def _refuse_input(shown: str) -> NoReturn:
    raise ModelError(
        f"takes {shown}. Wanted one input: float or uint8 pictures (pictures, channels, height, width) or (pictures, "
        "height, width, channels), with 1 or 3 channels, and any number of pictures or 1."
    )


def _sides(value: onnx.ValueInfoProto) -> list[int | None]:
    """The sides of a tensor; None for one that is free. Empty for anything else."""
    sides = value.type.tensor_type.shape.dim if value.type.WhichOneof("value") == "tensor_type" else ()
    return [side.dim_value if side.HasField("dim_value") and side.dim_value > 0 else None for side in sides]


def _shown(value: onnx.ValueInfoProto) -> str:
    if value.type.WhichOneof("value") != "tensor_type":
        return f"{value.name}, which is no tensor"
    kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
    return f"{value.name} {kind} ({', '.join('any' if side is None else str(side) for side in _sides(value))})"


def _messages(message: Message, kind: type[Message]) -> Iterator[Any]:
    """Every message of a kind inside another one, at any depth: in subgraphs, attributes and functions too."""
    waiting = [message]
    while waiting:
        one = waiting.pop()
        if isinstance(one, kind):
            yield one
        for field, value in one.ListFields():
            if field.message_type is not None:
                waiting += [value] if isinstance(value, Message) else list(value)


def _is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _stated(file: Path, model: onnx.ModelProto) -> tuple[_Preprocessing, str]:
    """The preprocessing of the TOML file beside a graph, else of its metadata, and the name of the source.

    Raises:
        UsageError: it cannot be read, or says what has no meaning.
    """
    toml = file.with_suffix(".toml")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    source = str(toml)
    try:
        if toml.is_file():
            stated = tomllib.loads(toml.read_text(encoding="utf-8"))
        else:
            source = f"{file}: its metadata {METADATA_KEY}"
            stated = json.loads(metadata.get(METADATA_KEY, "{}"))
        return _Preprocessing.model_validate(stated), source
    except ValidationError as error:
        raise UsageError(f"{source}: {in_words(error, {})}. Wanted, for example:{_EXAMPLE}") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UsageError(f"{source}: cannot be read: {error}. Wanted, for example:{_EXAMPLE}") from None


def _pixels(stated: _Preprocessing, given: _Input, file: Path, source: str) -> PixelRecord:
    """The pixels that a graph wants.

    Raises:
        UsageError: they are not stated, or do not fit the graph.
    """
    channels = stated.channels or ("grey" if given.channels == 1 else None)
    mean, deviation = stated.mean, stated.deviation
    if given.whole_numbers:
        if mean or deviation:
            raise UsageError(f"{source}: mean, deviation: {file.name} takes pixels as uint8. Leave them out.")
        mean, deviation = (0.0,) * given.channels, (1.0,) * given.channels
    wanted = {"channels": channels, "mean": mean, "deviation": deviation}
    if missing := [name for name, value in wanted.items() if value is None]:
        raise UsageError(
            f"--encoder {file}: {_list(missing)} of its pictures {'is' if len(missing) == 1 else 'are'} not stated. "
            f"Write {file.with_suffix('.toml').name} beside it, for example:{_EXAMPLE}"
        )
    if (channels == "grey") != (given.channels == 1):
        raise UsageError(f'{source}: channels = "{channels}", and the graph takes {given.channels}.')
    scale = 1 / 255 if given.whole_numbers else stated.scale
    try:
        return PixelRecord(channels=channels, mean=mean, deviation=deviation, scale=scale)
    except ValidationError as error:
        raise UsageError(f"{source}: {in_words(error, {})}.") from None


def _size(stated: _Preprocessing, given: _Input, source: str) -> Size | None:
    """The size of the pictures that a graph wants, where it wants one.

    Raises:
        UsageError: the stated size does not fit the graph, or only one of its sides is known.
    """
    try:
        size = stated.picture_size
    except (UsageError, ValueError):
        raise UsageError(
            f'{source}: size = "{stated.size}": wanted "WIDTHxHEIGHT" in pixels, such as "224x224".'
        ) from None
    if size is None:
        if given.height and given.width:
            return Size(given.height, given.width)
        if given.height or given.width:
            raise UsageError(f'{source}: one side of its pictures is free. State both: size = "WIDTHxHEIGHT".')
        return None
    if given.height not in (None, size.height) or given.width not in (None, size.width):
        wanted = f"{given.width or 'any'}x{given.height or 'any'}"
        raise UsageError(f'{source}: size = "{stated.size}", and the graph takes {wanted}.')
    return size


def _list(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
