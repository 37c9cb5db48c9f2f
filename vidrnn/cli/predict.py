"""vidrnn predict SOURCE..."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidrnn.cli.options import (
    Device,
    EngineName,
    EngineOption,
    Formats,
    Jobs,
    Json,
    Out,
    Rate,
    Reconnect,
    ResetOption,
    RuntimeName,
    RuntimeOption,
    ShardText,
    Show,
    Silence,
    Threads,
    Timeout,
    device_named,
    ending,
    jobs_here,
    model_named,
)
from vidrnn.errors import FilmError, UsageError
from vidrnn.model.header import foretells_frames
from vidrnn.threads import available_cores

if TYPE_CHECKING:
    from vidrnn.batch.batch import Batch
    from vidrnn.batch.foretold import Asked as AskedFrames
    from vidrnn.batch.work import Asked
    from vidrnn.live.addresses import LiveAddress
    from vidrnn.live.camera import Sight
    from vidrnn.live.watcher import Firmness, Watcher
    from vidrnn.values import FilmFailure

_SAME_MOMENT_SECONDS = 0.2


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Films, folders of films or patterns; or a camera's number, the address of a stream, - for a pipe.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="A run, a model folder or a .onnx [the newest run in runs/, else actions]."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Answers less probable than this are called unknown [0]; next-frame: the least unusual score [0.5].",
        ),
    ] = None,
    rollout: Annotated[
        int | None, typer.Option(min=0, help="next-frame: frames that the film goes on for beyond its end.")
    ] = None,
    normalised: Annotated[
        bool, typer.Option("--normalised", help="next-frame: tell the score of Liu et al. 2018, too, as papers do.")
    ] = False,
    hysteresis: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="How much more probable another answer must be to take over [0.1]."),
    ] = None,
    shortest: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Stretches of the timeline last at least so long [0.5]."),
    ] = None,
    reset: ResetOption = None,
    rate: Rate = None,
    runtime: RuntimeOption = None,
    device: Device = "auto",
    jobs: Jobs = None,
    threads: Threads = None,
    json: Json = False,
    out: Out = None,
    formats: Formats = None,
    timeout: Timeout = None,
    shard: ShardText = None,
    engine: EngineOption = None,
    show: Show = False,
    reconnect: Reconnect = None,
    silence: Silence = None,
) -> None:
    """Say what happens in films, and when. Each film is read to its end; a camera or a stream has none."""
    address = _live_source(sources)
    name = model_named(model)
    timeline: dict[str, Any] = {"reset": reset, "hysteresis": hysteresis, "shortest_seconds": shortest}
    timeline = {setting: said for setting, said in timeline.items() if said is not None}
    if foretells_frames(name):
        said = {"--reset": reset, "--hysteresis": hysteresis, "--shortest": shortest, "--threads": threads}
        _refused(f"{name} foretells frames", **said)
    if address is not None:
        many = {"--format": formats, "--timeout": timeout, "--shard": shard, "--engine": engine}
        many |= {"--rollout": rollout, "--normalised": normalised or None}
        _refused(f"{address.shown}: is live", **many, **{"--rate": rate, "--jobs": jobs})
        patience = 60 if reconnect is None else reconnect, silence or 10
        watching = _Watching(address, name, threshold, timeline, out, *patience, show=show)
        raise typer.Exit(_watched(watching, runtime, device_named(device)))
    _refused("films are no live source", **{"--show": show or None, "--reconnect": reconnect, "--silence": silence})
    if foretells_frames(name):
        from vidrnn.batch.foretold import DEFAULT_OUT, foretold_formats
        from vidrnn.batch.foretold import Asked as AskedFrames

        wanted = foretold_formats(formats)
        if "video" not in wanted:
            _refused("goes into the film, and --format leaves that out", **{"--rollout": rollout or None})
        least = 0.5 if threshold is None else threshold
        watched = AskedFrames(name, wanted, runtime, device_named(device), least, rollout or 0, normalised, rate)
        films, missing = _films_of(sources)
        folder = _Folder(films, missing, sources, out or DEFAULT_OUT, timeout, shard)
        raise typer.Exit(_filed(folder, watched, engine or "local", jobs, as_json=json))
    _refused(f"{name} names classes", **{"--rollout": rollout, "--normalised": normalised or None})
    from vidrnn.predict.predictor import Predictor, open_model

    threshold = threshold or 0.0
    films, missing = _films_of(sources)
    if out is not None:
        from vidrnn.batch.work import Asked, formats_named

        wanted = formats_named(formats or "jsonl")
        asked = Asked(name, wanted, runtime, device_named(device), threshold, rate, threads or 1, **timeline)
        folder = _Folder(films, missing, sources, out, timeout, shard)
        raise typer.Exit(_filed(folder, asked, engine or "local", jobs, as_json=json))
    _needs_out(**{"--format": formats, "--timeout": timeout, "--shard": shard, "--engine": engine})

    from vidrnn.cli.views.predicting import PredictionView

    opened, remark = open_model(name, runtime, device_named(device))
    each = threads or (None if opened.name == "torch" else 1)
    with PredictionView(str(name), len(films) + len(missing), as_json=json) as view:
        cores = jobs or available_cores()
        predictor = Predictor(opened, rate=rate, threads=cores, per_film=each, going=view.going, **timeline)
        view.remark(remark)
        for failure in missing:
            view.show(failure)
        for found in predictor.predict_all(films, threshold):
            view.show(found)
    if view.failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Folder:
    """Films, and the folder that their answers go to."""

    films: Sequence[Path]
    missing: Sequence[FilmFailure]
    sources: Sequence[str]
    out: Path
    timeout: float | None
    shard: str | None

    def batch(self, asked: Asked | AskedFrames) -> tuple[Batch, str]:
        """The work to be done, and a sentence where it is a part of it that was not asked for by a flag."""
        from vidrnn.batch.batch import Batch, Shard
        from vidrnn.data.films import source_folder

        found = None if self.shard is not None else Shard.of_environment(os.environ)
        shard = found or Shard() if self.shard is None else Shard.named(self.shard)
        starts = tuple(source_folder(source) for source in self.sources)
        batch = Batch(asked.work(), tuple(self.films), starts, self.out, shard, self.timeout)
        return batch, f"Shard {shard}, by RANK and WORLD_SIZE in the environment." if found else ""


def _filed(folder: _Folder, asked: Asked | AskedFrames, engine: EngineName, jobs: int | None, *, as_json: bool) -> int:
    """Answers into files, and the exit code."""
    from vidrnn.batch.engines import ENGINES
    from vidrnn.batch.result_names import shown
    from vidrnn.cli.views.predicting import BatchView
    from vidrnn.registry import load_member

    batch, remark = folder.batch(asked)
    sizes = {shown(name): size for name, size in batch.sizes().items()}
    with BatchView(str(asked.model), sizes, as_json=as_json) as view:
        view.remark(remark)
        view.remark(asked.remark())
        for failure in folder.missing:
            view.missing(failure)
        made = load_member(ENGINES, "--engine", engine)(jobs or jobs_here(engine, os.environ))
        with closing(batch.run(made)) as journey:
            for done in journey:
                view.show(done)
        view.end(batch.summary)
    return 1 if view.failed else 0


def _needs_out(**flags: object) -> None:
    """Refuse flags that say how answers are kept, where they are not.

    Raises:
        UsageError: one was given.
    """
    given = [flag for flag, value in flags.items() if value is not None]
    if given:
        raise UsageError(f"{given[0]}: is for answers that are kept. Say where: --out DIR.")


@dataclass(frozen=True)
class _Watching:
    """A live source, and what was said of how to watch it."""

    address: LiveAddress
    model: Path
    threshold: float | None
    timeline: dict[str, Any]
    """What was said of how timelines are made, as `Predictor` takes it."""
    out: Path | None
    reconnect: float
    silence: float
    show: bool

    @property
    def firmness(self) -> Firmness:
        """How firm answers stand; those on what is unusual are firm by themselves."""
        from vidrnn.live.watcher import Firmness
        from vidrnn.predict.predictor import HYSTERESIS, SHORTEST_SECONDS

        if foretells_frames(self.model):
            return Firmness()
        said = self.timeline
        return Firmness(said.get("hysteresis", HYSTERESIS), said.get("shortest_seconds", SHORTEST_SECONDS))


def _live_source(sources: list[str]) -> LiveAddress | None:
    """The live source among the sources, if there is one.

    Raises:
        UsageError: there are others beside it, or nothing can come from it.
    """
    from vidrnn.live.addresses import Kind, live_address

    addresses = [address for source in sources if (address := live_address(source)) is not None]
    if not addresses:
        return None
    address = addresses[0]
    if len(sources) > 1:
        raise UsageError(f"{address.shown}: is watched for ever, so nothing else can be read beside it. Name it alone.")
    if address.kind is Kind.PIPE and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("-: nothing is piped in. Try: ffmpeg -i FILM -c copy -f mpegts - | vidrnn predict -")
    return address


def _refused(why: str, **flags: object) -> None:
    """Refuse flags that were given and mean nothing here."""
    if given := [flag for flag, value in flags.items() if value is not None]:
        raise UsageError(f"{', '.join(given)}: {why}, so there is nothing that could be done with it. Leave it out.")


def _watched(asked: _Watching, runtime: RuntimeName | None, device: str) -> int:
    """Watch a live source until it ends or is stopped; the exit code."""
    from vidrnn.cli.views.predicting import LiveView, live_line
    from vidrnn.live.camera import Camera, Patience
    from vidrnn.live.screen import Screen
    from vidrnn.live.watcher import LineFile, warmed_up, watch
    from vidrnn.values import Stretch

    sight, watcher, remark = _watcher_of(asked, runtime, device)
    warmed_up(watcher, sight.size)
    stop, patience = Event(), Patience(silence_seconds=asked.silence, lost_seconds=asked.reconnect)
    with ExitStack() as stack:
        file = asked.out / f"{asked.address.name}.segments.jsonl" if asked.out else None
        lines = stack.enter_context(LineFile(file)) if file else None
        screen = stack.enter_context(Screen(asked.address.shown)) if asked.show else None
        caught = stack.enter_context(ending(stop))
        watched = screen is not None
        camera = stack.enter_context(Camera(asked.address, sight, patience, stop=stop, watched=watched))
        view = stack.enter_context(LiveView(str(asked.model), asked.address.shown, remark))
        stack.enter_context(_no_error_of_a_stop(stop))
        for happening in watch(camera, watcher, asked.firmness):
            view.show(happening)
            if lines is not None and isinstance(happening, Stretch):
                lines.add(live_line(happening))
            if screen is not None and screen.closed_after(camera.picture, view.now):
                stop.set()
    return 128 + caught[0] if caught else 0


@contextmanager
def _no_error_of_a_stop(stop: Event) -> Iterator[None]:
    """Ctrl-C ends whoever sends the stream, too: that it broke off just then is no news."""
    try:
        yield
    except FilmError:
        if not stop.wait(_SAME_MOMENT_SECONDS):
            raise


def _watcher_of(asked: _Watching, runtime: RuntimeName | None, device: str) -> tuple[Sight, Callable[[], Watcher], str]:
    """What the model looks at, what makes one that watches with it, and a sentence if it is not read as usual."""
    from vidrnn.live.camera import Sight
    from vidrnn.live.lookout import Lookout
    from vidrnn.predict.predictor import Predictor, open_frames, open_model
    from vidrnn.timeline.anomaly import Alarm

    if foretells_frames(asked.model):
        frames, remark = open_frames(asked.model, runtime, device)
        least = 0.5 if asked.threshold is None else asked.threshold
        alarm = Alarm(least, 0.8 * least)
        return Sight(frames.handling.size, frames.handling.spacing_seconds), lambda: Lookout(frames, alarm), remark
    opened, remark = open_model(asked.model, runtime, device)
    sight = Sight(opened.handling.size, opened.handling.sampling.spacing_seconds)
    predictor, threshold = Predictor(opened, **asked.timeline), asked.threshold or 0.0
    return sight, lambda: predictor.stream(threshold=threshold), remark


def _films_of(sources: list[str]) -> tuple[list[Path], list[FilmFailure]]:
    """The films that the sources name, each once; a source that names none is a failure, unless it is the only one.

    Raises:
        UsageError: no source names a film.
    """
    from vidrnn.data.films import find_films
    from vidrnn.values import FilmFailure

    films: dict[Path, Path] = {}
    missing: list[FilmFailure] = []
    for source in sources:
        try:
            films |= {film.resolve(): film for film in find_films([source]) if film.resolve() not in films}
        except UsageError as error:
            if len(sources) == 1:
                raise
            missing.append(FilmFailure.of(Path(source), error))
    if not films:
        raise UsageError(" ".join(f"{failure.path}: {failure.reason}" for failure in missing))
    return list(films.values()), missing
