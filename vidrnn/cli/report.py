"""vidrnn report RUN"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Json, fetched
from vidrnn.errors import UsageError


@with_flags("report")
def report(
    run: Annotated[Path, typer.Argument(help="A run, a model folder, or the name of a model that comes with vidrnn.")],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="The labelled videos, for pictures of mistakes; a model without a run is asked about them "
            "[where the run says they are].",
        ),
    ] = None,
    suspects: Annotated[
        bool,
        typer.Option("--suspects", help="Also write the labels that are probably wrong, as CSV and for Label Studio."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The page to write [RUN/report.html; for a model that comes with vidrnn: NAME.html here].",
        ),
    ] = None,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Write one page on a run: its scores, its mistakes as pictures, and suspect labels.

    Training writes the page, too. A suspect label is one that is probably wrong, by a model that had not seen it.
    """
    from vidrnn.cli.views.report import ReportView
    from vidrnn.report.reporter import ReportRequest
    from vidrnn.report.reporter import report as write

    if out is not None and out.is_dir():
        raise UsageError(f"--out {out}: is a folder. Name a file: --out {out / 'report.html'}.")
    place = fetched(run)
    if out is None and place != run:  # the folder of vidrnn, or of the Hub's cache, is not the user's to write into
        out = Path(f"{run.name}.html")
    wanted = ReportRequest(place, out, data, suspects=suspects)
    with ReportView(as_json=json) as view:
        view.follow(write(wanted))
