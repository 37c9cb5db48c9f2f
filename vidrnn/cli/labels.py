"""vidrnn labels DATA --to FORMAT"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Json
from vidrnn.config import LabelsConfig


@with_flags("labels", LabelsConfig)
def labels(
    data: Annotated[Path, typer.Argument(help="Labels of a labelling tool: a file, or a folder of files.")],
    to: Annotated[
        Literal["csv", "boris", "elan", "labelstudio", "audacity", "srt", "vtt"],
        typer.Option(help="The format to write: csv, boris, elan, labelstudio, audacity, srt or vtt."),
    ] = "csv",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What to write; elan, audacity, srt, vtt: a folder [beside the labels]."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Write the labels of one labelling tool in the format of another one."""
    from vidrnn.cli.views.labels import LabelsView
    from vidrnn.outputs.convert import Conversion, convert_labels

    options = LabelsConfig(**settings)
    wanted = Conversion(data, to, out, Path(options.films) if options.films else None, overwrite)
    with LabelsView(as_json=json) as view:
        converted = view.follow(convert_labels(wanted, options))
    if converted.failures:
        raise typer.Exit(1)
