"""The flags of the commands: each setting has one, stated once; and the start of the command line stays light."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from cli.test_cli import Command, vidrnn

import vidrnn.cli as command_line
from vidrnn.cli import COMMANDS, flags
from vidrnn.cli.missing import EXTRAS
from vidrnn.cli.train import FIRST
from vidrnn.config import RunConfig
from vidrnn.errors import UsageError
from vidrnn.settings import PredictConfig, settings_of
from vidrnn.tasks import TASKS
from vidrnn.tasks.base import task_named

__all__ = ["vidrnn"]  # the fixture

CONFIGS = {RunConfig: "train", PredictConfig: "predict"}
INNER = {("head", "motion")}
"""Settings that follow from another one, and so have no flag of their own."""
ONE_FLAG = {("height",), ("width",)}
"""Settings that one flag states together."""
HOUSE = Path(command_line.__file__).parent
LONGEST_FUNCTION = 60


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("TERM", "dumb")


def parameters(command: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(import_module(f"vidrnn.cli.{command}"), command)).parameters)


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_of_a_configuration_is_a_flag_with_a_help_text(vidrnn: Command, config: type) -> None:
    shown = vidrnn(CONFIGS[config], "--help").out
    names = set(getattr(config, "model_fields", None) or config.__dataclass_fields__)  # type: ignore[attr-defined]
    settings = settings_of(config)
    assert {one.path[0] for one in settings} == names
    for one in settings:
        assert re.match(r"[\w-].*\.", one.flag.help), one.path
        if one.path not in INNER:
            assert CONFIGS[config] in one.flag.commands, one.path
            row = rf"{re.escape(one.flag_name)}\b.*{re.escape(one.help)}"
            assert re.search(row, shown), one.path


@pytest.mark.parametrize("config", CONFIGS)
def test_no_two_settings_have_the_same_flag(config: type) -> None:
    names = [one.flag_name for one in settings_of(config) if one.path not in ONE_FLAG | INNER]
    assert len(names) == len(set(names))


def test_a_field_without_a_flag_is_an_error() -> None:
    class Forgotten(RunConfig):
        speed: int = 3

    with pytest.raises(TypeError, match=r"Forgotten\.speed"):
        settings_of(Forgotten)


@pytest.mark.parametrize("command", COMMANDS)
def test_arguments_are_shown_by_their_names_without_types(vidrnn: Command, command: str) -> None:
    shown = vidrnn(command, "--help").out
    usage = next(line for line in shown.splitlines() if "Usage:" in line).split("[OPTIONS]")[1]
    assert re.fullmatch(r"( (\[[A-Z]+\]|[A-Z]+(\.\.\.)?))* *", usage)
    assert not re.search(r"<(str|path|list)|default:", shown)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_of_commands_says_what_their_help_says_first(command: str) -> None:
    text = " ".join(str(inspect.getdoc(getattr(import_module(f"vidrnn.cli.{command}"), command))).split())
    assert text.startswith(COMMANDS[command])


def test_the_flags_that_people_use_most_come_first(vidrnn: Command) -> None:
    shown = vidrnn("train", "--help").out
    first = shown.partition("─ Options ")[2].partition("╰")[0]
    assert re.findall(r"^│ (--[\w-]+)", first, re.MULTILINE) == [f"--{name}" for name in FIRST] + ["--help"]
    for title in ("Videos", "Model", "Training", "Run", "Computing"):
        assert f"─ {title} ─" in shown


def test_a_number_outside_its_bounds_is_refused_by_the_name_of_its_flag(vidrnn: Command) -> None:
    assert "--threshold 2: wanted a number from 0 to 1," in vidrnn("predict", "a.mp4", "--threshold", "2").refused(2)
    assert "--timeout 0: wanted at least 1." in vidrnn("predict", "a.mp4", "--timeout", "0").refused(2)
    assert "--threshold nan: wanted" in vidrnn("predict", "a.mp4", "--threshold", "nan").refused(2)
    assert "--threshold" in vidrnn("predict", "a.mp4", "--threshold", "much").refused(2)


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        (["--units", "8", "--layers", "2"], {"head": {"size": 8, "layers": 2}}),
        (["--size", "32x24"], {"height": 24, "width": 32}),
        (["--no-test", "--grey"], {"test": False, "grey": True}),
        (["--no-flip", "--motion", "none"], {"flip": False, "motion": "none"}),
        (["--motion", "flow,change", "--motion-seconds", "0.2"], {"motion": "flow,change", "motion_seconds": 0.2}),
        (["--flip", "--spacing", "0.5"], {"flip": True, "spacing_seconds": 0.5}),
        (["clips", "--jobs", "3", "--device", "cpu"], {"data": "clips", "jobs": 3, "device": "cpu"}),
        (["--readout", "statistics", "--members", "5"], {"readout": "statistics", "members": 5}),
        ([], {}),
    ],
)
def test_flags_become_settings_and_those_that_were_not_given_are_left_out(
    vidrnn: Command, monkeypatch: pytest.MonkeyPatch, typed: list[str], given: dict[str, Any]
) -> None:
    caught: list[dict[str, Any]] = []

    @flags.with_flags("train", RunConfig, PredictConfig)
    def train(*, settings: flags.Settings) -> None:
        """Train nothing."""
        caught.append(settings)

    monkeypatch.setattr("vidrnn.cli.train.train", train)
    ended = vidrnn("train", *typed)
    assert (ended.code, caught) == (0, [given]), ended.err


def test_several_heads_mean_nothing_for_next_frame_prediction() -> None:
    with pytest.raises(UsageError, match=r"^--members: has no meaning for --task next-frame\. Leave it out\.$"):
        flags.refuse_foreign("next-frame", RunConfig, {"members": 3}, task_named("next-frame").settings)


@pytest.mark.parametrize("task", TASKS)
def test_a_setting_that_a_task_does_not_know_is_refused_only_when_it_is_given(task: str) -> None:
    known = task_named(task).settings
    fields = {one.path[0] for one in settings_of(RunConfig)}
    flags.refuse_foreign(task, RunConfig, dict.fromkeys(known & fields, 1) | {"head": {"size": 1}}, known)
    (foreign, *_) = sorted(fields - known)
    with pytest.raises(UsageError, match=rf"^--{foreign}: has no meaning for --task {task}\. Leave it out\.$"):
        flags.refuse_foreign(task, RunConfig, {foreign: 1, "seed": 3}, known)


def test_no_function_of_the_command_line_is_long() -> None:
    lengths = {
        f"{file.relative_to(HOUSE)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for file in HOUSE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(lengths) > 50
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


# --- what is loaded --------------------------------------------------------------------------------------------------


def loaded_by(*arguments: str) -> set[str]:
    """The packages that a command of a process of its own has loaded in the end."""
    program = (
        "import sys\nfrom vidrnn.cli import run\n"
        "try: run()\nfinally: print('loaded', *sorted(sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(done.stderr.rpartition("loaded ")[2].split())


def test_the_help_of_all_commands_loads_no_command() -> None:
    loaded = loaded_by("--help")
    assert "typer" in loaded and "rich.panel" in loaded
    assert loaded.isdisjoint({"numpy", "pydantic", "rich.markdown", "vidrnn.values", "vidrnn.settings"})
    assert loaded.isdisjoint({f"vidrnn.cli.{command}" for command in COMMANDS})


def test_a_prediction_loads_neither_pydantic_nor_markdown(tmp_path: Path) -> None:
    from conftest import make_film

    from vidrnn.model.header import shipped_models

    film = make_film(tmp_path / "film.mkv", frames=12)
    model = str(shipped_models() / "moves")
    typed = ["--model", model, "--runtime", "onnx", "--threshold", "0.1", "--jobs", "1", "--json"]
    loaded = loaded_by("predict", str(film), *typed)
    assert "onnxruntime" in loaded
    assert loaded.isdisjoint({"pydantic", "rich.markdown", "torch"})


# --- what is missing -------------------------------------------------------------------------------------------------


def missing(vidrnn: Command, monkeypatch: pytest.MonkeyPatch, module: str) -> str:
    """The sentence for a command that needs a module that is not there."""

    def fail(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("vidrnn.cli.import_module", fail)
    return vidrnn("info", "film.mp4").refused(1)


@pytest.mark.parametrize("package", EXTRAS)
def test_an_extra_that_is_missing_is_named_with_how_to_install_it(
    vidrnn: Command, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    import tomllib

    extras = tomllib.loads((HOUSE.parents[1] / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(need.startswith(package) for need in extras[EXTRAS[package]])
    assert f'pip install "vidrnn[{EXTRAS[package]}]"' in missing(vidrnn, monkeypatch, f"{package}.inner")


def test_a_package_that_vidrnn_does_not_offer_is_never_to_be_installed(
    vidrnn: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_python = missing(vidrnn, monkeypatch, "fcntl")
    assert "a part of Python that this system does not have" in of_python and "pip" not in of_python
    of_vidrnn = missing(vidrnn, monkeypatch, "numpy.linalg")
    assert "pip install --force-reinstall vidrnn" in of_vidrnn and "install numpy" not in of_vidrnn


# --- completion in a shell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "wanted"), [("vidrnn pre", "predict"), ("vidrnn predict --mod", "--model")])
def test_a_shell_is_told_commands_and_flags(typed: str, wanted: str) -> None:
    asked = {"_VIDRNN_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    command = [sys.executable, "-c", "from vidrnn.cli import run; run()"]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=False, timeout=60)
    assert wanted in done.stdout.split(), done.stderr


def test_the_script_for_a_shell_is_printed(vidrnn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_VIDRNN_COMPLETE", "")  # which the command sets, and which goes after the test
    monkeypatch.delenv("_VIDRNN_COMPLETE")
    assert "_VIDRNN_COMPLETE=complete_bash" in vidrnn("--show-completion", "bash").out
    assert "there is none for it. Name one of bash, zsh" in vidrnn("--show-completion", "csh").refused(2)
    assert "names no shell. Name one of bash, zsh" in vidrnn("--show-completion").refused(2)
