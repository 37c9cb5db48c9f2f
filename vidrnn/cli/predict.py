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

from vidrnn.cli.flags import Settings, flag_names, refuse, refuse_foreign, settings_known, with_flags
from vidrnn.cli.options import (
    EngineName,
    Json,
    RuntimeName,
    device_named,
    ending,
    jobs_here,
    model_named,
)
from vidrnn.errors import FilmError, UsageError
from vidrnn.settings import PredictConfig
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


_FOLDER = ("format", "timeout", "shard", "engine")
"""Settings of how answers are written."""
_OF_FILES = (*_FOLDER, "rollout", "normalised", "rate", "jobs")
"""Settings that mean nothing for a live source."""
_LIVE = ("show", "reconnect", "silence")
"""Settings that mean something for a live source only."""


@with_flags("predict", PredictConfig, first=("model", "out", "format", "threshold", "json"))
def predict(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Videos, folders of videos or patterns; or one camera's number, the address of a stream, or - for a "
            "pipe.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL", help="A run, a model folder or a .onnx file [the newest run in runs/, else actions]."
        ),
    ] = None,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Say what happens in videos, and when. Each video is read to its end; a camera or a stream has none."""
    from vidrnn.model.header import foretells_frames

    address = _live_source(sources)
    name = model_named(model)
    frames = foretells_frames(name)
    _refuse_foreign(settings, "next-frame" if frames else "classify", address)
    asked = _Asked(sources, name, PredictConfig(**settings), settings, as_json=json)
    if address is not None:
        code = _live(asked, address)
    elif frames:
        code = _frames(asked)
    elif asked.config.out is not None:
        code = _classes_to_files(asked, asked.config.out)
    else:
        code = _classes(asked)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class _Asked:
    """What `vidrnn predict` was asked for."""

    sources: list[str]
    model: Path
    config: PredictConfig
    settings: Settings
    as_json: bool

    @property
    def device(self) -> str:
        """The device to compute on."""
        return device_named(self.config.device)

    @property
    def timeline(self) -> dict[str, Any]:
        """The settings of the timeline that were given, as `Predictor` takes them."""
        names = {"reset": "reset", "hysteresis": "hysteresis", "shortest": "shortest_seconds"}
        return {names[name]: value for name, value in self.settings.items() if name in names}

    def folder(self, out: Path) -> _Folder:
        """The videos, and the folder that their answers go to."""
        films, missing = _films_of(self.sources)
        return _Folder(films, missing, self.sources, out, self.config.timeout, self.config.shard)


def _refuse_foreign(settings: Settings, task: str, address: LiveAddress | None) -> None:
    """Refuse settings that mean nothing for the model's task or for the source.

    Raises:
        UsageError: some were given.
    """
    refuse_foreign(task, PredictConfig, settings, settings_known(task, PredictConfig))
    if address is not None:
        refuse(f"for {address.shown}, which is live", PredictConfig, settings, _OF_FILES)
    else:
        refuse("for videos, which are no live source", PredictConfig, settings, _LIVE)
    if task == "classify" and "out" not in settings and address is None:
        _needs_out(settings)


def _live(asked: _Asked, address: LiveAddress) -> int:
    """Watch a live source; the exit code."""
    config = asked.config
    how = config.threshold, asked.timeline, config.out, config.reconnect, config.silence
    watching = _Watching(address, asked.model, *how, show=config.show)
    return _watched(watching, config.runtime, asked.device)


def _frames(asked: _Asked) -> int:
    """Answers of a model of the next frames; the exit code."""
    from vidrnn.batch.foretold import DEFAULT_OUT, foretold_formats
    from vidrnn.batch.foretold import Asked as AskedFrames

    config = asked.config
    wanted = foretold_formats(config.format)
    if "video" not in wanted and config.rollout:
        refuse("without --format video", PredictConfig, asked.settings, ("rollout",))
    least = 0.5 if config.threshold is None else config.threshold
    rollout, normalised = config.rollout or 0, config.normalised
    watched = AskedFrames(asked.model, wanted, config.runtime, asked.device, least, rollout, normalised, config.rate)
    folder = asked.folder(config.out or DEFAULT_OUT)
    return _filed(folder, watched, config.engine or "local", config.jobs, as_json=asked.as_json)


def _classes_to_files(asked: _Asked, out: Path) -> int:
    """Answers of a model that names classes, into files; the exit code."""
    from vidrnn.batch.work import Asked, formats_named

    config = asked.config
    folder, wanted = asked.folder(out), formats_named(config.format or "jsonl")
    threshold, threads = config.threshold or 0.0, config.threads or 1
    work = Asked(asked.model, wanted, config.runtime, asked.device, threshold, config.rate, threads, **asked.timeline)
    return _filed(folder, work, config.engine or "local", config.jobs, as_json=asked.as_json)


def _classes(asked: _Asked) -> int:
    """Answers of a model that names classes, on the screen; the exit code."""
    from vidrnn.cli.views.predicting import PredictionView
    from vidrnn.predict.predictor import Predictor, open_model

    config = asked.config
    films, missing = _films_of(asked.sources)
    opened, remark = open_model(asked.model, config.runtime, asked.device)
    each = config.threads or (None if opened.name == "torch" else 1)
    cores = config.jobs or available_cores()
    with PredictionView(str(asked.model), len(films) + len(missing), as_json=asked.as_json) as view:
        predictor = Predictor(
            opened, rate=config.rate, threads=cores, per_film=each, going=view.going, **asked.timeline
        )
        view.remark(remark)
        for failure in missing:
            view.show(failure)
        for found in predictor.predict_all(films, config.threshold or 0.0):
            view.show(found)
    return 1 if view.failed else 0


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


def _needs_out(settings: Settings) -> None:
    """Refuse settings of how answers are written, where they are not.

    Raises:
        UsageError: one was given.
    """
    if given := [name for name in settings if name in _FOLDER]:
        flag = next(iter(flag_names(PredictConfig, dict.fromkeys(given)).values()))
        raise UsageError(f"{flag}: is for answers that are written. Say where: --out DIR.")


@dataclass(frozen=True)
class _Watching:
    """A live source, and how to watch it."""

    address: LiveAddress
    model: Path
    threshold: float | None
    timeline: dict[str, Any]
    """The settings of the timeline that were given, as `Predictor` takes them."""
    out: Path | None
    reconnect: float
    silence: float
    show: bool

    @property
    def firmness(self) -> Firmness:
        """How firm answers stand; those on what is unusual are firm by themselves."""
        from vidrnn.live.watcher import Firmness
        from vidrnn.model.header import foretells_frames
        from vidrnn.predict.predictor import HYSTERESIS, SHORTEST_SECONDS

        if foretells_frames(self.model):
            return Firmness()
        given = self.timeline
        return Firmness(given.get("hysteresis", HYSTERESIS), given.get("shortest_seconds", SHORTEST_SECONDS))


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
    from vidrnn.model.header import foretells_frames
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
