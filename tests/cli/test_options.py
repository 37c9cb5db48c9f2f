"""What flags and files of settings mean: what was given, and the device to compute on."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidrnn.cli import options
from vidrnn.cli.options import chosen_settings, device_named
from vidrnn.errors import UsageError

HERE = ("cpu", "cuda:0", "cuda:1")


@pytest.mark.parametrize(
    ("name", "devices", "chosen"),
    [
        ("cpu", HERE, "cpu"),
        ("auto", ("cpu",), "cpu"),
        ("auto", HERE, "cuda"),
        ("auto", ("cpu", "mps"), "cpu"),
        ("cuda", HERE, "cuda"),
        ("cuda:1", HERE, "cuda:1"),
        ("mps", ("cpu", "mps"), "mps"),
    ],
)
def test_a_device_that_is_here_is_taken(
    name: str, devices: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "found_devices", lambda: devices)
    assert device_named(name) == chosen


@pytest.mark.parametrize(
    ("name", "devices", "words"),
    [
        ("cuda", ("cpu",), r"There is: cpu\. Name"),
        ("cuda:2", HERE, r"There are: cpu, cuda:0, cuda:1\. Name"),
        ("mps", HERE, r"There are: cpu, cuda:0, cuda:1\."),
        ("cuda:x", HERE, "is no device"),
        ("tpu", HERE, "Say auto, cpu, cuda, cuda:1 or mps"),
        ("", HERE, "is no device"),
    ],
)
def test_a_device_that_is_not_here_is_refused_with_those_that_are(
    name: str, devices: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "found_devices", lambda: devices)
    with pytest.raises(UsageError, match=words):
        device_named(name)


def test_a_run_that_goes_on_knows_what_was_given(tmp_path: Path) -> None:
    first = chosen_settings(None, {"encoder": "small", "head": {"name": "rnn"}}, "vidrnn train")
    first.write(tmp_path / "config.toml")
    again = chosen_settings(tmp_path / "config.toml", {}, "vidrnn train")
    assert again == first and again.given == first.given >= {"encoder", "head.name"}
    assert "head.size" not in again.given and "members" not in again.given, "a search is free to choose them"
