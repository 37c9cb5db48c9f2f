"""vidrnn export MODEL"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.cli.options import Jobs, Rate
from vidrnn.threads import available_cores


def export(
    model: Annotated[Path, typer.Argument(help="A run or a model folder.")],
    to: Annotated[
        Literal["onnx", "torch", "openvino"],
        typer.Option(help="model.onnx; model.pt2, a torch program of one step; model.xml and model.bin."),
    ] = "onnx",
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(help="fp16 stores weights in half the bytes (onnx, openvino); int8 computes in bytes too (onnx)."),
    ] = "fp32",
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Films to calibrate by; labelled as for vidrnn train, they tell what precision costs."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file [in the model's folder].")] = None,
    rate: Rate = None,
    jobs: Jobs = None,
) -> None:
    """Write a model as a file that runs without vidrnn, checked against the model before it is kept."""
    from vidrnn.cli.views.facts import ExportView
    from vidrnn.export.exporter import Request, export_model

    request = Request(model, to, precision, calibrate, out, rate, jobs or available_cores())
    with ExportView() as view:
        view.follow(export_model(request))
