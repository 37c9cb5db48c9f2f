"""Flags that several commands share, and what they mean."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.errors import UsageError

Jobs = Annotated[int | None, typer.Option(min=1, help="Films worked on at once. Default: one per processor core.")]
Rate = Annotated[float | None, typer.Option(help="Frames per second of films that are folders of numbered pictures.")]
DeviceName = Literal["auto", "cpu", "cuda"]
Device = Annotated[DeviceName, typer.Option(help="Where to compute.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else to standard output.")]


def jobs_or_cores(jobs: int | None) -> int:
    """The number asked for, else one per core that this process may use."""
    return jobs or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def device_named(name: DeviceName) -> str:
    """The device to compute on; auto takes a GPU where there is one.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UsageError("--device cuda: no GPU that torch can use was found. Say --device cpu or leave it out.")
    return "cuda" if there and name != "cpu" else "cpu"


def model_named(model: Path | None, runs: Path = Path("runs")) -> Path:
    """The model asked for, else the newest run's, else the shipped `actions`.

    Raises:
        UsageError: there is none at all.
    """
    from vidrnn.weights import shipped_models

    if model:
        return model
    made = [folder.parent for folder in runs.glob("*/model") if (folder / "model.safetensors").is_file()]
    if made:
        return max(made, key=lambda run: (run / "model" / "model.safetensors").stat().st_mtime)
    shipped = shipped_models() / "actions"
    if not shipped.is_dir():
        raise UsageError("no model: there is no run in runs/ and no shipped model. Train one: vidrnn train DATA.")
    return shipped
