"""Work that is killed at random moments leaves nothing half under a final name, and ends in the same bytes."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "attack" / "kills.py"


@pytest.fixture(scope="module")
def kills() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("kills", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("name", ["train", "overwrite", "export", "compare", "folder"])
def test_a_kill_at_a_random_moment_loses_nothing(kills: ModuleType, name: str) -> None:
    (kind,) = (kind for kind in kills.kinds() if kind.name == name)
    assert kills.attack(kind, 2, seed=3).endswith("| 0 | none |")
