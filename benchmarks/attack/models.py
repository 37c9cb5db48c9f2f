"""Models and settings of somebody who means harm, or of a damaged disk: each must end in a sentence.

Takes the models that come with vidrnn, breaks one thing in each copy, and reads a short video with it. A copy may be
refused in a sentence, or answer as the untouched model does, where the broken thing means nothing for the answer.
Tracebacks, hangs, processes that die, and other answers are faults.

python benchmarks/attack/models.py
"""

from __future__ import annotations

import copy
import json
import os
import random
import resource
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import typer

from vidrnn.config import RunConfig
from vidrnn.errors import VidrnnError
from vidrnn.predict.predictor import Predictor, open_model

ROOT = Path(__file__).resolve().parents[2]
FILM = ROOT / "sample_videos" / "sit-down" / "figure08_02.webm"
MODELS = ("moves", "moments", "next", "actions")
SECONDS, MEMORY_BYTES = 30, 12_000_000_000
"""What one copy may take."""
OUTCOMES = ("sentence", "harmless", "other answer", "traceback", "hang", "died")

DEEP = "DEEP"
"""Stands for lists within lists, deeper than any reader goes."""
ODD: tuple[Any, ...] = (None, "many", -1, 0, 1e300, 10**40, True, [], {}, [[[]]], {"a": {"b": 1}}, DEEP, float("nan"))
"""Values for any field of a header."""
FIELDS = (
    *("format_version", "answer", "answer.classes", "answer.kind", "answer.task", "answer.resolution"),
    *("decision", "decision.temperature", "decision.threshold", "decision.hysteresis", "decision.shortest_seconds"),
    *("decision.reset", "decision.direction", "decision.anomaly", "spec", "spec.network", "spec.encoder"),
    *("spec.encoder.name", "spec.encoder.motion", "spec.head", "spec.head.size", "spec.height", "spec.width"),
    *("spec.frames", "spec.spacing_seconds", "spec.forecast", "spec.members", "answer.background"),
)
SHARP: tuple[tuple[str, Any], ...] = (
    ("answer.classes", "walking"),
    ("answer.classes", ["a", "b"]),
    ("answer.classes", ["a"] * 6),
    ("answer.classes", [""] * 6),
    ("answer.classes", [1, 2, 3, 4, 5, 6]),
    ("answer.classes", [f"class {number}" for number in range(100_000)]),
    ("answer.task", "../../etc/passwd"),
    ("answer.kind", "vector"),
    ("decision.temperature", -2.0),
    ("decision.temperature", {"nobody": 1.0}),
    ("decision.anomaly", {"middle": 1.0, "high": 0.0, "smoothing_frames": 4, "error": 0.1, "motion": None}),
    ("spec.height", 100_000),
    ("spec.width", 85.5),
    ("spec.height", "84"),
    ("spec.frames", 10**9),
    ("spec.spacing_seconds", -0.1),
    ("spec.head.size", 4095),
    ("spec.encoder.features", {"width": 10**9, "rate": 1.0}),
    ("spec.encoder.motion", "difference"),
    ("spec.encoder.motion", ["flow", "difference"]),
    ("spec.forecast", {"context": -1, "horizon": 10, "decoder": "flow"}),
)


@dataclass(frozen=True)
class Attack:
    """One broken copy."""

    name: str
    kind: str
    run: Callable[[Path], object]
    """From an empty folder to the answer; the untouched model's answer is the harmless one."""
    harmless: object = None


def changed(text: str, place: str, value: Any) -> str:
    """A JSON text with another value at a dotted place."""
    record = json.loads(text)
    holder = record
    *path, last = place.split(".")
    for name in path:
        if not isinstance(holder.get(name), dict):
            holder[name] = {}
        holder = holder[name]
    holder[last] = value
    return json.dumps(record).replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)


def answer(model: Path, runtime: str) -> object:
    """The answer of a model for the film, as plain numbers to three places; its whole header is read as well."""
    opened, _ = open_model(model, runtime)
    found = Predictor(opened).predict(FILM)
    segments = [(one.label, round(one.start_seconds, 3), round(one.probability, 3)) for one in found.segments]
    measures = {name: round(value, 3) for name, value in found.measures.items()}
    with suppress(VidrnnError):
        _ = opened.header
    return found.label, segments, measures


def unsealed(file: Path) -> bytes:
    """The content of a file without its checksum, which somebody who means harm leaves out or makes anew."""
    return file.read_bytes().replace(b"vidrnn-sum-", b"without-sum")


# --- .onnx ---


def graph_attacks(model: str, draw: random.Random) -> Iterator[tuple[str, str, Callable[[Path], Path]]]:
    """Broken copies of the .onnx of a model: a name, a kind, and how to write it into a folder."""
    content = unsealed(ROOT / "models" / model / "model.onnx")
    whole = onnx.load_from_string(content)
    header = next(entry.value for entry in whole.metadata_props if entry.key == "vidrnn")

    def with_metadata(key: str, value: str | None) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            graph = copy.deepcopy(whole)
            entries = [entry for entry in graph.metadata_props if entry.key != key]
            del graph.metadata_props[:]
            graph.metadata_props.extend(entries)
            if value is not None:
                graph.metadata_props.add(key=key, value=value)
            onnx.save(graph, folder / "model.onnx")
            return folder / "model.onnx"

        return write

    def with_graph(change: Callable[[onnx.ModelProto, Path], object]) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            graph = copy.deepcopy(whole)
            change(graph, folder)
            (folder / "model.onnx").write_bytes(graph.SerializeToString())
            return folder / "model.onnx"

        return write

    def with_bytes(some: bytes) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            (folder / "model.onnx").write_bytes(some)
            return folder / "model.onnx"

        return write

    sharp = list(SHARP) if model != "actions" else SHARP[::4]
    for place, value in sharp:
        yield f"{place} = {str(value)[:30]}", "header", with_metadata("vidrnn", changed(header, place, value))
    for place in draw.sample(FIELDS, 12 if model != "actions" else 4):
        value = draw.choice([one for one in ODD if one != {} or place != "decision"])  # then defaults hold
        yield f"{place} = {str(value)[:30]}", "header", with_metadata("vidrnn", changed(header, place, value))
    for text in ("", "[]", "null", "{", "[" * 100_000):
        yield f"header {text[:5]!r}", "header", with_metadata("vidrnn", text)
    state = next(entry.value for entry in whole.metadata_props if entry.key == "vidrnn.state")
    tensor = next(iter(json.loads(state)))
    for value in ([1, 10**12], [3], "big", [-1], [2, 2.5], DEEP, None):
        text = json.dumps({**json.loads(state), tensor: {"shape": value, "type": "float32", "fresh": 0.0}})
        yield f"state shape {value}", "state", with_metadata("vidrnn.state", text.replace(f'"{DEEP}"', "[" * 9999))
    for kind, fresh in (("object", 0.0), ("float64", 0.0), ("U9", 0.0), ("float32", "x"), ("float32", 1e300)):
        text = json.dumps({**json.loads(state), tensor: {"shape": [1], "type": kind, "fresh": fresh}})
        yield f"state {kind} {fresh}", "state", with_metadata("vidrnn.state", text)
    text = json.dumps({name.upper(): one for name, one in json.loads(state).items()})
    yield "state names", "state", with_metadata("vidrnn.state", text)
    for key, values in {
        "vidrnn.state": (None, "{}", "[]", "{"),
        "vidrnn.outputs": (None, "[]", '["steps", 5]', '["secret"]', '"steps"', "{"),
        "vidrnn.streams": (None, "perhaps"),
        "vidrnn.head": ("no base64", "AAAA", ""),
    }.items():
        for value in values if model in ("moves", "next") else values[:1]:
            yield f"{key} {value}", "state", with_metadata(key, value)
    graphs: dict[str, Callable[[onnx.ModelProto, Path], object]] = {
        "input renamed": lambda graph, _: _rename_input(graph, "frames", "pictures"),
        "state input renamed": lambda graph, _: _rename_input(graph, tensor, "other"),
        "output removed": lambda graph, _: graph.graph.output.pop(0),
        "state output removed": lambda graph, _: graph.graph.output.pop(),
        "a further input": lambda graph, _: graph.graph.input.add(name="more").CopyFrom(_more(graph)),
        "custom operator": lambda graph, _: _foreign(graph),
        "external data": _external,
        "no graph": lambda graph, _: graph.ClearField("graph"),
        "a cycle": lambda graph, _: graph.graph.node[0].input.append(graph.graph.node[-1].output[0]),
        "no operators": lambda graph, _: graph.graph.ClearField("node"),
        "weights removed": lambda graph, _: graph.graph.initializer.pop(0),
        "frames as floats": lambda graph, _: setattr(graph.graph.input[0].type.tensor_type, "elem_type", 1),
    }
    for name, change in graphs.items():
        yield name, "graph", with_graph(change)
    for share in (0.0, 0.0001, 0.3, 0.9, 0.9999):
        yield f"cut at {share}", "file", with_bytes(content[: int(share * len(content))])
    yield "zeros", "file", with_bytes(bytes(10_000))
    yield "text", "file", with_bytes(b"#!/bin/sh\nrm -rf /\n")


def _rename_input(graph: onnx.ModelProto, old: str, new: str) -> None:
    for value in graph.graph.input:
        value.name = new if value.name == old else value.name
    for node in graph.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]


def _more(graph: onnx.ModelProto) -> onnx.ValueInfoProto:
    more = copy.deepcopy(graph.graph.input[-1])
    more.name = "more"
    return more


def _foreign(graph: onnx.ModelProto) -> None:
    graph.opset_import.add(domain="evil", version=1)
    graph.graph.node[0].domain, graph.graph.node[0].op_type = "evil", "Run"


def _external(graph: onnx.ModelProto, folder: Path) -> None:
    tensor = max(graph.graph.initializer, key=lambda one: len(one.raw_data))
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


# --- .safetensors ---


def weights_attacks(model: str, draw: random.Random) -> Iterator[tuple[str, str, Callable[[Path], Path]]]:
    """Broken copies of the weights of a model."""
    content = unsealed(ROOT / "models" / model / "model.safetensors")
    (length,) = struct.unpack("<Q", content[:8])
    table, tensors = json.loads(content[8 : 8 + length]), content[8 + length :]
    header = table["__metadata__"]["vidrnn"]
    first = next(name for name, one in table.items() if name != "__metadata__" and one["shape"])

    def stored(new: dict[str, Any], rest: bytes = tensors, claimed: int | None = None) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            text = json.dumps(new).encode()
            length = len(text) if claimed is None else claimed
            (folder / "model.safetensors").write_bytes(struct.pack("<Q", length) + text + rest)
            return folder

        return write

    def with_header(text: str) -> dict[str, Any]:
        return {**table, "__metadata__": {**table["__metadata__"], "vidrnn": text}}

    def with_tensor(**fields: Any) -> dict[str, Any]:
        return {**table, first: {**table[first], **fields}}

    huge = {"name": "gru", "size": 4096, "layers": 8}
    for place, value in (
        ("spec.head", huge),
        ("spec.members", 32),
        ("spec.head.size", 10**7),
        ("spec.encoder.name", "../../x"),
        ("answer.classes", "word"),
        ("spec.height", 5000),
        ("spec.head.name", "__class__"),
        *((draw.choice(FIELDS[3:]), draw.choice(ODD[:5])) for _ in range(5)),
    ):
        yield f"{place} = {str(value)[:30]}", "weights", stored(with_header(changed(header, place, value)))
    odd_type = {"F32": "I32", "F16": "F32"}.get(table[first]["dtype"], "F64")
    yield "another type", "weights", stored(with_tensor(dtype=odd_type))
    yield "turned shape", "weights", stored(with_tensor(shape=[*table[first]["shape"][::-1], 1]))
    yield "absurd shape", "weights", stored(with_tensor(shape=[2**62, 2]))
    yield "offsets outside", "weights", stored(with_tensor(data_offsets=[0, 2**60]))
    yield "a tensor less", "weights", stored({name: one for name, one in table.items() if name != first})
    yield "no metadata", "weights", stored({name: one for name, one in table.items() if name != "__metadata__"})
    yield "absurd length", "weights", stored(table, claimed=2**62)
    yield "cut", "weights", stored(table, tensors[: len(tensors) // 2])
    yield "nothing", "weights", lambda folder: ((folder / "model.safetensors").write_bytes(b"") and folder) or folder


# --- settings ---

SETTINGS = (
    b"",
    b"\xff\xfe\x00",
    b"head = 5",
    b"frames = 'many'",
    b"frames = 99999999999999999999999999",
    b"spacing_seconds = nan",
    b"learning_rate = -1",
    b"[head]\nsize = 1e99",
    b"[head]\nname = 'gru'\nname = 'lstm'",
    b"motion = [[['difference']]]",
    b"grid = 'x'",
    b"a = " + b"[" * 5000 + b"]" * 5000,
    b"a = " + b"{b=" * 3000 + b"1" + b"}" * 3000,
    b"seed = " + b"9" * 5000,
    b"epochs = 1979-05-27T07:32:00Z",
    b"task = '\\u0000'",
    b"unknown = 1",
    b"labels = 'x'",
)


def settings_attacks() -> Iterator[Attack]:
    """Settings as TOML; what a file with one right setting says is harmless."""
    for number, text in enumerate(SETTINGS):

        def read(folder: Path, text: bytes = text) -> object:
            (folder / "config.toml").write_bytes(text)
            return RunConfig.read(folder / "config.toml").frames

        yield Attack(f"settings {number}: {text[:20]!r}", "settings", read, 16)


def attacks(seed: int) -> list[Attack]:
    """All of them."""
    draw, all_attacks = random.Random(seed), list(settings_attacks())
    for model in MODELS:
        for runtime, broken in (("onnx", graph_attacks), ("torch", weights_attacks)):
            if runtime == "torch" and model == "actions":
                continue
            harmless = answer(ROOT / "models" / model, runtime)
            for name, kind, write in broken(model, draw):

                def run(folder: Path, write: Callable[[Path], Path] = write, runtime: str = runtime) -> object:
                    return answer(write(folder), runtime)

                all_attacks.append(Attack(f"{model} {kind} {name}", kind, run, harmless))
    return all_attacks


# --- one copy in a process of its own ---


def outcome(attack: Attack, verbose: bool) -> str:
    """What became of an attack, in a process that may take SECONDS and MEMORY_BYTES."""
    with TemporaryDirectory() as folder:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.write(writing, json.dumps(_in_child(attack, Path(folder))).encode())
            os._exit(0)
        os.close(writing)
        end = time.monotonic() + SECONDS
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os.close(reading)
                print(f"hang: {attack.name}", file=sys.stderr)
                return "hang"
            time.sleep(0.01)
        said = os.read(reading, 60_000)
        os.close(reading)
    found, reason = json.loads(said) if said else ("died", "")
    if verbose or found not in ("sentence", "harmless"):
        print(f"{found}: {attack.name}: {reason}", file=sys.stderr)
    return str(found)


def _in_child(attack: Attack, folder: Path) -> tuple[str, str]:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
            found = attack.run(folder)
    except VidrnnError as error:
        return "sentence", str(error)[:500]
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"[:500]
    return ("harmless" if found == attack.harmless else "other answer"), str(found)[:500]


def main(seed: int = 0, jobs: int = 2, verbose: bool = False) -> None:
    """Run all attacks and print a table; the exit code is 1 if there was a fault."""
    began = time.monotonic()
    every = attacks(seed)
    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda attack: outcome(attack, verbose), every))
    counts = Counter(zip((attack.kind for attack in every), found, strict=True))
    print(f"| broken | {' | '.join(OUTCOMES)} |\n|---{'|---:' * len(OUTCOMES)}|")
    for kind in dict.fromkeys(attack.kind for attack in every):
        print(f"| {kind} | {' | '.join(str(counts[kind, one]) for one in OUTCOMES)} |")
    totals = Counter(found)
    print(f"| all {len(every)} | {' | '.join(str(totals[one]) for one in OUTCOMES)} |")
    print(f"\n{time.monotonic() - began:.0f} seconds, seed {seed}.")
    raise typer.Exit(int(any(totals[one] for one in OUTCOMES[2:])))


if __name__ == "__main__":
    typer.run(main)
