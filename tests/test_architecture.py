"""The laws of the house: which room may import which, where heavy packages live, what a name promises."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import vidrnn
from vidrnn.encoders import ENCODERS, PICTURE_ENCODERS
from vidrnn.engines import ENGINES
from vidrnn.export import EXPORTS
from vidrnn.heads import HEADS, PICTURE_HEADS
from vidrnn.outputs import OUTPUTS
from vidrnn.readouts import READOUTS
from vidrnn.runtimes import RUNTIMES
from vidrnn.tasks import TASKS

HOUSE = Path(vidrnn.__file__).parent

ROOMS = (
    "__main__",
    "cli",
    "console",
    "gallery",
    "compare",
    "plots",
    "comparison",
    "train",
    "forecasting",
    "trial",
    "controls",
    "learn",
    "shards",
    "fit",
    "run",
    "portable",
    "frames_export",
    "export",
    "tracing",
    "frames_evaluate",
    "evaluate",
    "appraisal",
    "foretold",
    "filmstrip",
    "filing",
    "batch",
    "engines",
    "live",
    "lookout",
    "screen",
    "camera",
    "addresses",
    "reels",
    "foretell",
    "predict",
    "stream",
    "windows",
    "runtimes",
    "scoring",
    "detection",
    "gradients",
    "material",
    "weights",
    "card",
    "checkpoint",
    "forecaster",
    "model",
    "encoders",
    "heads",
    "tasks",
    "painters",
    "readouts",
    "blocks",
    "recurrence",
    "flow",
    "state",
    "data",
    "augment",
    "cache",
    "splits",
    "groups",
    "scan",
    "frame_labels",
    "films",
    "manifest",
    "records",
    "outputs",
    "answers",
    "filming",
    "baselines",
    "unusual",
    "decoding",
    "cuts",
    "video",
    "timing",
    "unreadable",
    "metrics",
    "parallel",
    "naming",
    "whole",
    "clips",
    "header",
    "config",
    "values",
    "errors",
)
"""From top to bottom: a room imports only rooms that stand below it."""

FORTHCOMING = {"timing", "unreadable"}
"""Rooms that may be split off video."""

FILM_WING = {
    *("cache", "splits", "groups", "scan", "frame_labels", "films", "manifest", "records", "answers", "video"),
    *("timing", "unreadable", "filming", "parallel", "whole", "clips", "header", "config", "values", "errors"),
    *("outputs.base", "outputs.jsonl", "outputs.csv", "outputs.parquet", "outputs.srt", "outputs.vtt"),
    *("outputs.labelstudio", "outputs.steps", "outputs.video"),
    *("batch", "filing", "engines.base", "engines.local", "engines.ray", "naming"),
    *("live", "lookout", "screen", "camera", "addresses"),
    *(
        "predict",
        "stream",
        "windows",
        "decoding",
        "cuts",
        "foretell",
        "foretold",
        "filmstrip",
        "runtimes.base",
        "runtimes.onnx",
    ),
}
NETWORKS = {"torch", "torchvision", "torchmetrics"}
ONLY_HOME = {
    "cv2": {"video", "baselines", "filming", "filmstrip", "outputs", "camera", "screen"},
    "av": {"filming"},
    "pyarrow": {"outputs"},
    "ray": {"engines"},
    "rich": {"console", "gallery"},
    "matplotlib": {"plots"},
    "typer": {"cli"},
    "torchmetrics": {"metrics"},
    "onnxruntime": {"runtimes", "export"},
    "onnx": {"export", "frames_export", "tracing"},
}
FAMILIES = dict.fromkeys(("encoders", "heads", "readouts", "tasks", "runtimes", "outputs", "engines"), "base")
FAMILIES |= {"export": "base", "console": "base", "cli": "options"}
"""Each family with the one member that the others may import."""
MEMBERS = [*ENCODERS.values(), *HEADS.values(), *READOUTS.values(), *TASKS.values(), *RUNTIMES.values()]
MEMBERS += [*OUTPUTS.values(), *ENGINES.values(), *EXPORTS.values()]
MEMBERS += [*PICTURE_ENCODERS.values(), *PICTURE_HEADS.values()]


@cache
def modules() -> dict[str, ast.Module]:
    """The text of each module by its name inside the house: `video`, `heads.gru`, `heads` for a family's table."""
    return {name_of(file): ast.parse(file.read_text(encoding="utf-8")) for file in sorted(HOUSE.rglob("*.py"))}


def name_of(file: Path) -> str:
    parts = file.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in the text, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield node.module or ""


def neighbours(module: str) -> set[str]:
    """What a module imports of the house, by name inside it; the house's own name, for its version, left out."""
    found = {name for name in imports(modules()[module]) if room_of(name) == "vidrnn"}
    return {name.partition(".")[2] for name in found} - {""}


def packages(module: str) -> set[str]:
    """The packages from outside that a module imports."""
    return {room_of(name) for name in imports(modules()[module])} - {"vidrnn"}


@pytest.mark.parametrize("module", sorted(set(modules()) - {""}))
def test_a_room_imports_only_rooms_that_stand_below_it(module: str) -> None:
    room = room_of(module)
    below = set(ROOMS[ROOMS.index(room) + 1 :])
    wrong = {name for name in neighbours(module) if room_of(name) != room and room_of(name) not in below}
    assert not wrong, f"{module} imports {wrong}, which stand above it"


def test_the_list_names_every_room_and_no_other() -> None:
    rooms = {room_of(module) for module in modules()} - {""}
    assert rooms <= set(ROOMS), "a new room has its place in the list"
    assert set(ROOMS) - rooms <= FORTHCOMING, "a room that is gone leaves the list"
    assert len(set(ROOMS)) == len(ROOMS)


@pytest.mark.parametrize("module", sorted(name for name in modules() if "." in name))
def test_members_of_a_family_import_none_of_their_siblings_but_the_base(module: str) -> None:
    family, _, member = module.partition(".")
    siblings = {name for name in neighbours(module) if room_of(name) == family}
    allowed = set() if member == FAMILIES[family] else {f"{family}.{FAMILIES[family]}"}
    assert siblings <= allowed


def test_every_folder_is_a_family_with_a_base() -> None:
    assert {room_of(name) for name in modules() if "." in name} == set(FAMILIES)
    assert all(f"{family}.{base}" in modules() for family, base in FAMILIES.items())


@pytest.mark.parametrize("room", sorted(FILM_WING & set(modules())))
def test_the_film_wing_knows_no_networks(room: str) -> None:
    seen, waiting = set(), {room}
    while waiting:
        module = waiting.pop()
        seen.add(module)
        assert not packages(module) & NETWORKS, f"{room} reaches {module}, which imports torch"
        waiting |= neighbours(module) - seen


@pytest.mark.parametrize("package", ONLY_HOME)
def test_a_package_has_one_home(package: str) -> None:
    homes = {room_of(module) for module in modules() if package in packages(module)}
    assert homes == ONLY_HOME[package]


def test_only_console_and_commands_print() -> None:
    printing = {
        room_of(module)
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing <= {"console", "cli"}


@pytest.mark.parametrize("module", ["vidrnn", "vidrnn.cli", "vidrnn.encoders", "vidrnn.heads", "vidrnn.runtimes"])
def test_a_cheap_name_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(set(sys.modules) & {{'torch', 'torchvision', 'cv2', 'numpy'}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stdout.split()


@pytest.mark.parametrize("member", sorted(set(MEMBERS)))
def test_a_line_of_a_family_table_leads_to_a_class(member: str) -> None:
    module, _, name = member.partition(":")
    assert isinstance(getattr(import_module(module), name), type)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"cli", "console"}))
def test_every_member_of_a_family_stands_in_its_table(family: str) -> None:
    written = {f"vidrnn.{module}" for module in modules() if module.startswith(f"{family}.")}
    reached = {member.partition(":")[0] for member in MEMBERS}
    assert written - reached == {f"vidrnn.{family}.base"}


def test_the_public_names_are_two() -> None:
    assert vidrnn.__all__ == ["__version__", "load"]
    assert vidrnn.__version__ and callable(vidrnn.load)
