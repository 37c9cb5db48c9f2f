"""vidrnn export MODEL"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.errors import UsageError
from vidrnn.settings import PredictConfig
from vidrnn.threads import available_cores


@with_flags("export", PredictConfig)
def export(
    model: Annotated[
        Path, typer.Argument(help="A run or a model folder; or a model of vidrnn by its name, such as moves.")
    ],
    to: Annotated[
        Literal["onnx", "torch", "openvino"],
        typer.Option(help="model.onnx; model.pt2, a torch program of one step; model.xml and model.bin."),
    ] = "onnx",
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(help="fp16: weights of half the bytes (onnx, openvino); int8: also computes in bytes (onnx)."),
    ] = "fp32",
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Videos to calibrate with. Labelled as for vidrnn train, they also show what precision costs.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write [in the model's folder].")] = None,
    *,
    settings: Settings,
) -> None:
    """Write a model as a file that runs without vidrnn. The file is checked against the model first."""
    from vidrnn.cli.views.facts import ExportView
    from vidrnn.export.exporter import Request, export_model
    from vidrnn.model.header import located_model

    config, found = PredictConfig(**settings), located_model(model)
    if out is None and found != model:
        raise UsageError(f"{model}: comes with vidrnn, so nothing is written beside it. Say where: --out FILE.")
    request = Request(found, to, precision, calibrate, out, config.rate, config.jobs or available_cores())
    with ExportView() as view:
        view.follow(export_model(request))
