"""vidrnn predict SOURCE..."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from vidrnn.cli.flags import PREDICT_ALWAYS, Settings, flag_names, refuse, refuse_foreign, with_flags
from vidrnn.cli.options import (
    EngineName,
    Json,
    device_named,
    ending,
    jobs_here,
    model_named,
)
from vidrnn.errors import FilmError, UsageError
from vidrnn.settings import PerClass, PredictConfig
from vidrnn.threads import available_cores

if TYPE_CHECKING:
    from vidrnn.batch.batch import Batch
    from vidrnn.batch.work import PredictionRequest
    from vidrnn.cli.views.predicting import PredictionView
    from vidrnn.live.addresses import LiveAddress
    from vidrnn.predict.predictor import Predictor
    from vidrnn.values import DecisionRule, FilmFailure, FilmPrediction, Handling

_SAME_MOMENT_SECONDS = 0.2


_FOLDER = ("format", "timeout", "shard", "engine")
"""Settings of how answers are written."""
_OF_FILES = (*_FOLDER, "explain", "rollout", "normalised", "rate", "jobs")
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
            metavar="MODEL",
            help="A run, a model folder, a .onnx file or hf:USER/NAME; or moves, moments, actions or next, which come "
            "with vidrnn [the newest run in runs/, else actions].",
        ),
    ] = None,
    json: Json = False,
    *,
    settings: Settings,
) -> None:
    """Say what happens in videos, and when. Each video is read to its end; a camera or a stream has none."""
    address = _live_source(sources)
    _refuse_misplaced(settings, address)
    call = _Call(sources, model_named(model), PredictConfig(**settings), settings, as_json=json)
    if address is not None:
        code = _watch(call, address)
    elif call.config.out is not None:
        code = _write_answers(call, call.config.out)
    else:
        code = _show_answers(call)
    if code:
        raise typer.Exit(code)


@dataclass(frozen=True)
class _Call:
    """The arguments of one `vidrnn predict`."""

    sources: list[str]
    model: Path
    config: PredictConfig
    settings: Settings
    as_json: bool

    @property
    def device(self) -> str:
        """The device to compute on."""
        return device_named(self.config.device)

    def rule(self, handling: Handling) -> DecisionRule:
        """The model's decision rule, overruled by the flags that were given.

        Raises:
            UsageError: a flag means nothing for the model's task.
        """
        from vidrnn.tasks.base import task_named

        task = task_named(handling.answer.task)
        refuse_foreign(task.name, PredictConfig, self.settings, task.settings | PREDICT_ALWAYS)
        names = {"shortest": "shortest_seconds", "smoothing": "smoothing_seconds"}
        names |= {name: name for name in ("threshold", "hysteresis", "reset")}
        given = {names[name]: value for name, value in self.settings.items() if name in names}
        for name, value in given.items():
            if isinstance(value, dict):
                flag, before = f"--{name.partition('_')[0]}", getattr(handling.decision, name)
                given[name] = _of_classes(flag, value, before, handling)
        if given.get("smoothing_seconds") and handling.decision.direction == "causal":
            raise UsageError(
                f"--smoothing {given['smoothing_seconds']:g}: this model answers at once and waits for no later "
                "frames. Leave it out."
            )
        return replace(handling.decision, **given)


def _of_classes(flag: str, given: dict[str, float], before: PerClass, handling: Handling) -> dict[str, float]:
    """Numbers of all classes: those that the user gave, and for the others those of the model.

    Raises:
        UsageError: the model has no class of a name.
    """
    classes = handling.answer.classes
    if unknown := sorted(set(given) - set(classes)):
        raise UsageError(f"{flag} {unknown[0]}=...: the model has no such class. It has: {', '.join(classes)}.")
    return {name: given.get(name, before[name] if isinstance(before, dict) else before) for name in classes}


def _refuse_misplaced(settings: Settings, address: LiveAddress | None) -> None:
    """Refuse settings that mean nothing for the source.

    Raises:
        UsageError: some were given.
    """
    if address is not None:
        refuse(f"for {address.shown}, which is live", PredictConfig, settings, _OF_FILES)
        return
    refuse("for videos, which are no live source", PredictConfig, settings, _LIVE)
    if "explain" in settings and "out" in settings:
        raise UsageError(
            f"--explain {settings['explain']}: is for one video, and --out for many. Leave one of them out."
        )
    if "out" not in settings and (given := [name for name in settings if name in _FOLDER]):
        flag = next(iter(flag_names(PredictConfig, dict.fromkeys(given)).values()))
        raise UsageError(f"{flag}: is for answers that are written. Say where: --out DIR.")
    if not {"video", "mp4"} & {name.strip() for name in settings.get("format", "").split(",")}:
        refuse("without --format video or mp4", PredictConfig, settings, ("rollout",))


def _show_answers(call: _Call) -> int:
    """Show answers on the screen; gives the exit code."""
    from vidrnn.cli.views.predicting import PredictionView
    from vidrnn.predict.predictor import Predictor, open_model
    from vidrnn.values import FilmPrediction

    config = call.config
    films, missing = _films_of(call.sources)
    if config.explain is not None and len(films) + len(missing) > 1:
        raise UsageError(
            f"--explain {config.explain}: explains one video at a time, and {len(films) + len(missing)} are named. "
            "Name one of them."
        )
    opened, remark = open_model(call.model, config.runtime, call.device)
    rule = call.rule(opened.handling)
    with PredictionView(str(call.model), len(films) + len(missing), as_json=call.as_json) as view:
        predictor = Predictor(
            opened,
            rule,
            rate=config.rate,
            threads=config.jobs or available_cores(),
            per_film=config.threads or (None if opened.name == "torch" else 1),
            normalised=config.normalised,
            report_progress=view.going,
        )
        view.remark(remark)
        for failure in missing:
            view.show(failure)
        for prediction in predictor.predict_all(films):
            view.show(prediction)
            if config.explain is not None and isinstance(prediction, FilmPrediction):
                _explain(predictor, prediction, config.explain, call.model, view)
    return 1 if view.failed else 0


def _explain(predictor: Predictor, prediction: FilmPrediction, out: Path, model: Path, view: PredictionView) -> None:
    """Write why the answer was given; a video that cannot be explained costs a row."""
    from vidrnn.explain.files import write_explanation
    from vidrnn.values import FilmFailure

    try:
        files = view.outcome(write_explanation(predictor, prediction, out, model.name))
    except FilmError as error:
        view.show(FilmFailure.of(prediction.path, error))
        return
    view.explained(files)


def _write_answers(call: _Call, out: Path) -> int:
    """Write answers into files; gives the exit code."""
    from vidrnn.batch.work import PredictionRequest, formats_named
    from vidrnn.predict.predictor import handling_of

    config = call.config
    films, missing = _films_of(call.sources)
    formats = formats_named(config.format or "jsonl")
    request = PredictionRequest(
        model=call.model,
        formats=formats,
        rule=call.rule(handling_of(call.model)),
        runtime=config.runtime,
        device=call.device,
        rate=config.rate,
        threads=config.threads or 1,
        rollout=config.rollout or 0,
        normalised=config.normalised,
    )
    folder = _Folder(films, missing, call.sources, out, config.timeout, config.shard)
    return _run_batch(folder, request, config.engine or "local", config.jobs, as_json=call.as_json)


@dataclass(frozen=True)
class _Folder:
    """Films, and the folder for their answers."""

    films: Sequence[Path]
    missing: Sequence[FilmFailure]
    sources: Sequence[str]
    out: Path
    timeout: float | None
    shard: str | None

    def batch(self, request: PredictionRequest) -> tuple[Batch, str]:
        """The batch, and a sentence if the environment names the shard."""
        from vidrnn.batch.batch import Batch
        from vidrnn.batch.shards import Shard
        from vidrnn.data.films import source_folder

        from_ranks = None if self.shard is not None else Shard.from_environment(os.environ)
        shard = from_ranks or Shard() if self.shard is None else Shard.parse(self.shard)
        starts = tuple(source_folder(source) for source in self.sources)
        batch = Batch(request.work(), tuple(self.films), starts, self.out, shard, self.timeout)
        return batch, f"Shard {shard}, by RANK and WORLD_SIZE in the environment." if from_ranks else ""


def _run_batch(
    folder: _Folder, request: PredictionRequest, engine: EngineName, jobs: int | None, *, as_json: bool
) -> int:
    """Write the answers for a folder; gives the exit code."""
    from vidrnn.batch.engines import ENGINES
    from vidrnn.batch.result_names import shown
    from vidrnn.cli.views.predicting import BatchView
    from vidrnn.registry import load_member

    batch, remark = folder.batch(request)
    sizes = {shown(name): size for name, size in batch.sizes().items()}
    with BatchView(str(request.model), sizes, as_json=as_json) as view:
        view.remark(remark)
        view.remark(request.remark())
        view.remark(batch.remark)
        for failure in folder.missing:
            view.missing(failure)
        opened = load_member(ENGINES, "--engine", engine)(jobs or jobs_here(engine, os.environ))
        with closing(batch.run(opened)) as films:
            for done in films:
                view.show(done)
        view.end(batch.summary)
    return 1 if view.failed else 0


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
        raise UsageError(f"{address.shown}: has no end, so nothing else can be read beside it. Name it alone.")
    if address.kind is Kind.PIPE and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("-: nothing is piped in. Try: ffmpeg -i FILM -c copy -f mpegts - | vidrnn predict -")
    return address


def _watch(call: _Call, address: LiveAddress) -> int:
    """Watch a live source until it ends or is stopped; gives the exit code."""
    from vidrnn.cli.views.predicting import LiveView, live_line
    from vidrnn.live.camera import Camera, Patience, Sight
    from vidrnn.live.screen import Screen
    from vidrnn.live.watcher import Firmness, LineFile, warmed_up, watch
    from vidrnn.predict.predictor import Predictor, open_model
    from vidrnn.values import Stretch

    config = call.config
    opened, remark = open_model(call.model, config.runtime, call.device)
    handling, rule = opened.handling, call.rule(opened.handling)
    if handling.features is not None:
        raise UsageError(f"{address.shown}: gives pictures, and this model reads features. Name .npy files instead.")
    predictor, firmness = Predictor(opened, rule), Firmness.of(handling.answer, rule)
    warmed_up(predictor.stream, handling.size)
    stop, patience = Event(), Patience(silence_seconds=config.silence, lost_seconds=config.reconnect)
    sight = Sight(handling.size, handling.sampling.spacing_seconds, handling.motion_seconds)
    with ExitStack() as stack:
        file = config.out / f"{address.name}.segments.jsonl" if config.out else None
        lines = stack.enter_context(LineFile(file)) if file else None
        screen = stack.enter_context(Screen(address.shown)) if config.show else None
        caught = stack.enter_context(ending(stop))
        camera = stack.enter_context(Camera(address, sight, patience, stop=stop, watched=screen is not None))
        view = stack.enter_context(LiveView(str(call.model), address.shown, remark))
        stack.enter_context(_no_error_of_a_stop(stop))
        for event in watch(camera, predictor.stream, firmness):
            view.show(event)
            if lines is not None and isinstance(event, Stretch):
                lines.add(live_line(event))
            if screen is not None and screen.closed_after(camera.picture, view.now):
                stop.set()
    return 128 + caught[0] if caught else 0


@contextmanager
def _no_error_of_a_stop(stop: Event) -> Iterator[None]:
    """Ignore that a stream breaks off at the moment of a stop: Ctrl-C also ends the program that sends the stream."""
    try:
        yield
    except FilmError:
        if not stop.wait(_SAME_MOMENT_SECONDS):
            raise


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
