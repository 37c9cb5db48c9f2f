"""The example does what it says that it does."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import torch

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "doubling_series.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = spec_from_file_location("doubling_series", EXAMPLE)
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_squared_loss_overflows_at_step_64(example: ModuleType) -> None:
    assert example.first_overflow(example.doubling()) == 64


def test_one_parameter_is_exact_and_the_naive_forecast_is_off_by_half(example: ModuleType) -> None:
    naive, fitted, nothing = example.without_network(example.doubling())
    assert naive.relative_error == 0.5
    assert fitted.forecaster.startswith("2 times") and fitted.relative_error == 0
    assert nothing.relative_error == 1 and nothing.train_loss < 1e-15 and nothing.test_loss < 0.05


@pytest.mark.slow
def test_networks_fail_on_raw_values_seem_to_do_well_on_the_futures_scale_and_learn_differences(
    example: ModuleType,
) -> None:
    found = example.doubling_results(example.doubling(), quick=True, seed=0)
    networks = [one for one in found if one.forecaster in example.CLASSICAL]
    by_view = {view: [one for one in networks if one.view == view] for view in {one.view for one in networks}}
    assert {len(results) for results in by_view.values()} == {3}
    for one in by_view["raw"]:
        assert one.train_loss == torch.inf and one.moved == 0 and one.relative_error > 0.99
    for one in by_view["raw, steps to 63"]:
        assert one.train_loss < torch.inf and one.moved > 0.1 and one.relative_error > 0.99
    for one in by_view["divided by the last value"]:
        assert one.train_loss < 1e-3 and one.test_loss < 0.1 and one.relative_error > 1
    for one in by_view["log differences"]:
        assert one.relative_error < 0.05
    assert found == example.doubling_results(example.doubling(), quick=True, seed=0)


@pytest.mark.slow
def test_the_first_value_is_recalled_by_memory_and_attention_together(example: ModuleType) -> None:
    found = {(one.head, one.readout): one.accuracy for one in example.recall_results(quick=True, seed=0)}
    assert found["lstm", "attention"] >= 0.95
    assert found["lstm", "last"] < 0.65 and max(found["none", "attention"], found["none", "last"]) < 0.35


def test_all_is_told(example: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example, "doubling_results", lambda series, *_: list(example.without_network(series)))
    monkeypatch.setattr(example, "recall_results", lambda *_: [example.Recall("gru", "attention", 0.98, 100)])
    example.main(quick=True)
    told = capsys.readouterr().out
    assert "y_64 is infinite" in told and "needs no network" in told and "0.98 (100)" in told
