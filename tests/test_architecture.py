"""The architecture: which folder may import which, where heavy packages live, and that no folder asks for the task."""

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
from vidrnn.batch.engines import ENGINES
from vidrnn.data.labels import LABEL_FORMATS
from vidrnn.export import EXPORTS
from vidrnn.nets.decoders import DECODERS
from vidrnn.nets.encoders import ENCODERS, FOREIGN_ENCODERS, PICTURE_ENCODERS
from vidrnn.nets.heads import HEADS, PICTURE_HEADS
from vidrnn.nets.readouts import READOUTS
from vidrnn.outputs import OUTPUTS
from vidrnn.runtimes import RUNTIMES
from vidrnn.tasks import TASKS
from vidrnn.tasks.base import task_named
from vidrnn.tracking import TRACKERS

HOUSE = Path(vidrnn.__file__).parent

LAYERS = (
    "__main__",
    "cli",
    "compare",
    "train",
    "tracking",
    "check",
    "report",
    "export",
    "batch",
    "evaluate",
    "live",
    "explain",
    "outputs",
    "predict",
    "tasks",
    "timeline",
    "runtimes",
    "model",
    "nets",
    "data",
    "video",
    "config",
    "settings",
    "events",
    "tables",
    "system",
    "claims",
    "atomic",
    "values",
    "threads",
    "registry",
    "sums",
    "text",
    "plain_json",
    "file_names",
    "errors",
)
"""From top to bottom: a folder or top file imports only what stands below it."""

TORCH_FREE = {
    *("check", "cli", "batch", "live", "explain", "outputs", "predict", "tasks", "timeline", "data", "video"),
    *("config", "settings", "events", "tables", "atomic", "values", "threads", "registry", "text", "errors"),
    *("claims", "file_names", "sums", "plain_json", "system"),
}
"""Folders and top files that never reach torch, so that a cold `predict` starts at once."""
TORCH_FREE_FILES = {
    "model.header",
    "model.card",
    "model.front_matter",
    "model.hub",
    "model.metadata",
    "model.portable",
    "nets.spec",
    "runtimes.base",
    "runtimes.onnx",
    "runtimes.openvino",
}
"""Of folders that are of both wings."""
NETWORKS = {"torch", "torchvision", "torchmetrics"}
ONLY_HOME = {
    "cv2": {"video", "evaluate", "outputs", "live", "explain", "report"},
    "av": {"video"},
    "pyarrow": {"outputs"},
    "ray": {"batch"},
    "rich": {"cli"},
    "matplotlib": {"compare", "report"},
    "jinja2": {"report"},
    "typer": {"cli"},
    "torchmetrics": {"evaluate"},
    "onnxruntime": {"runtimes", "export", "nets"},
    "onnx": {"export", "model"},
    "openpyxl": {"data"},
    "huggingface_hub": {"model"},
    "mlflow": {"tracking"},
    "wandb": {"tracking"},
}
FAMILIES = {
    "nets.encoders": {**ENCODERS, **PICTURE_ENCODERS, **FOREIGN_ENCODERS},
    "nets.heads": {**HEADS, **PICTURE_HEADS},
    "nets.readouts": READOUTS,
    "nets.decoders": DECODERS,
    "tasks": TASKS,
    "data.labels": LABEL_FORMATS,
    "train.lessons": {name: task_named(name).lesson for name in TASKS},
    "runtimes": RUNTIMES,
    "outputs": OUTPUTS,
    "batch.engines": ENGINES,
    "tracking": TRACKERS,
    "export": EXPORTS,
}
"""Each folder that holds a family, and its table from what the user says to `module:Class`."""
MEMBERS = sorted({member for table in FAMILIES.values() for member in table.values()})
MOST_UNLIKE_FILES = 18
BESIDE = {
    "outputs": {"vidrnn.outputs.convert", "vidrnn.outputs.forecast_video", "vidrnn.outputs.strips"},
    "tasks": {"vidrnn.tasks.scores"},
    "tracking": {"vidrnn.tracking.listener"},
    "train.lessons": {"vidrnn.train.lessons.guesses", "vidrnn.train.lessons.records"},
}
"""Files of a family's folder that are no members of it."""


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


def early_imports(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported when the text is loaded: not inside functions, not for types only."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from imports(ast.Module([node], [])) if isinstance(node, ast.Import | ast.ImportFrom) else ()
        waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize("module", sorted(set(modules()) - {""}))
def test_a_folder_imports_only_what_stands_below_it(module: str) -> None:
    room = room_of(module)
    below = set(LAYERS[LAYERS.index(room) + 1 :])
    wrong = {name for name in neighbours(module) if room_of(name) != room and room_of(name) not in below}
    assert not wrong, f"{module} imports {wrong}, which stand above it"


def test_the_list_names_every_folder_and_no_other() -> None:
    assert set(LAYERS) == {room_of(module) for module in modules()} - {""}
    assert len(set(LAYERS)) == len(LAYERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_members_of_a_family_import_none_of_their_siblings_but_the_base(family: str) -> None:
    members = {member.partition(":")[0].removeprefix("vidrnn.") for member in FAMILIES[family].values()}
    for member in members:
        siblings = neighbours(member) & members - {member}
        assert not siblings, f"{member} imports {siblings}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_a_base(family: str) -> None:
    assert f"{family}.base" in modules()


@pytest.mark.parametrize("folder", sorted({name.rpartition(".")[0] for name in modules() if "." in name}))
def test_a_folder_can_be_overlooked(folder: str) -> None:
    table = FAMILIES.get(folder, {})
    alike = {member.partition(":")[0].removeprefix("vidrnn.") for member in table.values()}
    files = [name for name in modules() if name.rpartition(".")[0] == folder]
    assert len(set(files) - alike) <= MOST_UNLIKE_FILES


@pytest.mark.parametrize(
    "module", sorted({name for name in modules() if room_of(name) in TORCH_FREE} | TORCH_FREE_FILES)
)
def test_the_torch_free_wing_never_reaches_torch(module: str) -> None:
    seen, waiting = set(), {module}
    while waiting:
        one = waiting.pop()
        seen.add(one)
        loaded = {room_of(name) for name in early_imports(modules()[one])}
        assert not loaded & NETWORKS, f"{module} reaches {one}, which imports torch"
        names = {name.partition(".")[2] for name in early_imports(modules()[one]) if room_of(name) == "vidrnn"}
        waiting |= names - {""} - seen


@pytest.mark.parametrize("package", ONLY_HOME)
def test_a_package_has_one_home(package: str) -> None:
    homes = {room_of(module) for module in modules() if package in packages(module)}
    assert homes == ONLY_HOME[package]


def test_only_commands_and_their_views_print() -> None:
    printing = {
        room_of(module)
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing <= {"cli"}


def test_json_is_written_in_one_place() -> None:
    dumping = {
        module
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.dumps", "json.dump")
    }
    assert dumping == {"plain_json"}


@pytest.mark.parametrize(
    "module", ["vidrnn", "vidrnn.cli", "vidrnn.nets.encoders", "vidrnn.nets.heads", "vidrnn.runtimes"]
)
def test_a_cheap_name_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*sorted(set(sys.modules) & {{'torch', 'torchvision', 'cv2', 'numpy'}}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stdout.split()


@pytest.mark.parametrize("member", MEMBERS)
def test_a_line_of_a_family_table_leads_to_a_class(member: str) -> None:
    module, _, name = member.partition(":")
    assert isinstance(getattr(import_module(module), name), type)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"export"}))
def test_every_member_of_a_family_stands_in_its_table(family: str) -> None:
    written = {f"vidrnn.{module}" for module in modules() if module.rpartition(".")[0] == family}
    reached = {member.partition(":")[0] for member in MEMBERS}
    assert written - reached == {f"vidrnn.{family}.base", *BESIDE.get(family, ())}


def test_the_public_names_are_two() -> None:
    assert vidrnn.__all__ == ["__version__", "load"]
    assert vidrnn.__version__ and callable(vidrnn.load)


@pytest.mark.parametrize("module", sorted(name for name in modules() if room_of(name) != "tasks"))
def test_no_folder_asks_which_task_it_is(module: str) -> None:
    words = [
        node.lineno
        for node in ast.walk(modules()[module])
        if isinstance(node, ast.Compare)
        for part in (node.left, *node.comparators)
        if isinstance(part, ast.Constant) and part.value in TASKS
    ]
    assert not words, f"{module} compares with the name of a task in the lines {words}"
