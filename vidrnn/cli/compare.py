"""vidrnn compare DATA"""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from vidrnn.cli.flags import Settings, with_flags
from vidrnn.cli.options import Config, Json, chosen_settings, device_named, films_named, free_folder, stopping
from vidrnn.config import RunConfig
from vidrnn.errors import UsageError
from vidrnn.file_names import portable_name
from vidrnn.settings import PredictConfig

FIRST = ("head", "seeds", "out", "encoder", "frames", "spacing", "epochs", "gradients", "json", "resume")
"""The flags that people use most."""


@with_flags("compare", RunConfig, PredictConfig, first=FIRST)
def compare(
    *,
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A head to compare; say it again for each. NAME-both reads in both directions. [all]"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Trainings of each head.")] = 3,
    gradients: Annotated[
        bool, typer.Option("--gradients", help="Show how far back each head learns, before and after.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder for the table and the plots [runs/DATA-compare].")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Continue this comparison where it stopped.")
    ] = None,
    config: Config = None,
    json: Json = False,
    settings: Settings,
) -> None:
    """Train several heads on the same videos in the same way, and show what each is worth and what it costs."""
    device, data = settings.pop("device", "auto"), settings.pop("data", None)
    if resume and (settings or config or out or data):
        raise UsageError(
            f"--resume {resume}: continues with the same videos and settings. Only --head and --seeds may change."
        )

    from vidrnn.cli.views.scores import ComparisonView
    from vidrnn.compare.comparison import CompareRequest
    from vidrnn.compare.comparison import compare as run_comparison
    from vidrnn.data.store import open_cache

    chosen = chosen_settings(resume / "config.toml" if resume else config, settings, "vidrnn compare")
    films = films_named(data, chosen.data, "vidrnn compare")
    request = CompareRequest(
        data=films,
        config=chosen,
        heads=tuple(dict.fromkeys(head or ())),
        seeds=seeds,
        out=resume or out or free_folder(Path("runs") / portable_name(f"{films.resolve().stem}-compare")),
        cache=open_cache(chosen.cache_size),
        jobs=chosen.jobs or 1,
        device=device_named(device),
        resume=resume is not None,
    )
    stop = Event()
    with stopping(stop), ComparisonView(as_json=json, gradients=gradients) as view:
        view.follow(run_comparison(request, stop))
        view.show_folder(request.out)
