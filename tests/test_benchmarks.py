"""Benchmarks take long, so they are not run here; but what they import from vidrnn must be there."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest
from test_packaging import ROOT

SCRIPTS = sorted([*(ROOT / "benchmarks").rglob("*.py"), *(ROOT / "examples").glob("*.py"), *ROOT.glob("sample_*/*.py")])


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_names_that_a_script_takes_from_vidrnn_are_there(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "vidrnn":
            module = import_module(node.module)
            lost = [one.name for one in node.names if not hasattr(module, one.name)]
            for name in lost:  # it may be a module that nothing has imported yet
                import_module(f"{node.module}.{name}")
