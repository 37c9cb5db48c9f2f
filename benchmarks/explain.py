"""Does an explanation find what decided? Three proofs.

    python benchmarks/explain.py known    [--films 40] [--seed 0]     painted videos: place and moment are known
    python benchmarks/explain.py curves   MODEL FILMS... [--most 40]  deletion and insertion, beside random orders
    python benchmarks/explain.py random   MODEL FILMS... [--most 20]  a head with random weights must give other reasons

`known` paints clips in which a patch of red, green or blue is to be seen somewhere for half a second, before noise and
grey patches that move. It trains a model of the three colours, and asks for the reasons of clips that it has not seen.
A hit: the highest moment lies within the half second, with half a stretch to spare; the highest place within the patch,
with 6 pixels to spare. By chance a hit is as probable as the last column says.

`curves` takes parts away from the most decisive one on (deletion), or adds them to a film that is hidden altogether
(insertion), and prints the mean probability of the answer on the way: low is good for deletion, high for insertion.
The methods are those of Petsiuk, Das and Saenko, "RISE", BMVC 2018, and of Adebayo et al., "Sanity checks for saliency
maps", NeurIPS 2018.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer

from vidrnn.data.films import find_films
from vidrnn.explain.base import Curve, Explanation, Places
from vidrnn.explain.explainer import explain
from vidrnn.explain.moments import Question, film_question, find_curve
from vidrnn.explain.places import Moment, find_places, hide, moment_of, patches_of
from vidrnn.explain.reading import Judge, encode_film, read_frames
from vidrnn.predict.predictor import Predictor, open_model
from vidrnn.values import FilmPrediction, Floats, Pixels

COLOURS = {"red": (230, 40, 40), "green": (40, 200, 60), "blue": (50, 80, 240)}
HEIGHT, WIDTH, SIDE = 84, 112, 20
FRAMES, SHOWN, FPS = 32, 5, 10.0
SPARE = 6
"""Pixels that the place may lie beside the patch."""
_HOW = {"label_holds": "somewhere", "epochs": 80, "augment": 0.3}
"""Settings of the trainings: the patch is seen for a moment only."""
_STEPS = 20
"""So many steps a deletion or an insertion has."""
app = typer.Typer(add_completion=False)


def ended(steps: Generator[Any, None, Any]) -> Any:
    """The result of a generator of events."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@dataclass(frozen=True)
class Painted:
    """A painted clip, and what decides its class."""

    path: Path
    first: int
    """The first frame that shows the patch."""
    top: int
    left: int


def paint(path: Path, colour: str, rng: np.random.Generator) -> Painted:
    """Paint a clip: noise, grey patches that move, and for half a second the coloured patch."""
    first = int(rng.integers(2, FRAMES - SHOWN - 2))
    top, left = int(rng.integers(0, HEIGHT - SIDE)), int(rng.integers(0, WIDTH - SIDE))
    ground = rng.integers(60, 160)
    greys = [
        (rng.integers(0, 84, 2).astype(float), rng.uniform(-2, 2, 2), int(rng.integers(20, 230))) for _ in range(3)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (WIDTH, HEIGHT))
    for index in range(FRAMES):
        pixels = np.full((HEIGHT, WIDTH, 3), ground, np.float64)
        for start, speed, level in greys:
            row, column = (int(at) % side for at, side in zip(start + index * speed, (HEIGHT, WIDTH), strict=True))
            pixels[row : row + SIDE, column : column + SIDE] = level
        if first <= index < first + SHOWN:
            pixels[top : top + SIDE, left : left + SIDE] = COLOURS[colour]
        pixels += rng.normal(0, 8, pixels.shape[:2])[..., None]
        film.write(cv2.cvtColor(pixels.clip(0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR))
    film.release()
    return Painted(path, first, top, left)


@app.command()
def known(
    films: int = 40,
    seed: int = 0,
    encoder: Annotated[list[str] | None, typer.Option(help="Encoders to train with [small, mobilenet_v2].")] = None,
) -> None:
    """Hit rates on painted videos."""
    from training import run

    print("| encoder | test accuracy | clips | moment found | place found | by chance |\n|---|---|---|---|---|---|")
    for name in encoder or ["small", "mobilenet_v2"]:
        with tempfile.TemporaryDirectory() as folder:
            rng = np.random.default_rng(seed)
            data = Path(folder) / "data"
            for number in range(60):
                for colour in COLOURS:
                    paint(data / colour / f"{colour}{number:02d}.avi", colour, rng)
            out = Path(folder) / "run"
            trained = run(data, out, encoder=name, height=HEIGHT, width=WIDTH, frames=16, head="gru", seed=seed, **_HOW)
            new = [
                paint(Path(folder) / "new" / f"{colour}{number}.avi", colour, rng)
                for number in range(-(-films // 3))
                for colour in COLOURS
            ]
            predictor = Predictor(open_model(out)[0])
            right = [one for one in new if (predictor.predict(one.path).label or "") in one.path.name]
            hits = np.array([_hits(predictor, one) for one in right])
        moment, place = hits.mean(0)
        chance = f"{(SHOWN + 2) / FRAMES:.2f} / {((SIDE + 2 * SPARE) ** 2) / (HEIGHT * WIDTH):.2f}"
        print(f"| {name} | {trained.accuracy:.3f} | {len(right)} | {moment:.3f} | {place:.3f} | {chance} |", flush=True)


def _hits(predictor: Predictor, film: Painted) -> tuple[bool, bool]:
    """Whether the moment and the place that decide are found."""
    explanation: Explanation = ended(explain(predictor, predictor.predict(film.path)))
    reason = explanation.reasons[0]
    peak, slack = reason.curve.seconds[reason.curve.peak] * FPS, reason.curve.stretch_seconds * FPS / 2
    moment = film.first - slack <= peak < film.first + SHOWN + slack
    if not reason.places:
        return bool(moment), False
    spare, (down, right) = SPARE, reason.places[0].peak
    down, right = down * HEIGHT, right * WIDTH
    inside = (
        film.top - spare <= down <= film.top + SIDE + spare and film.left - spare <= right <= film.left + SIDE + spare
    )
    return bool(moment), bool(inside)


@dataclass(frozen=True, eq=False)
class Case:
    """A film, what is asked of it, and its reasons."""

    question: Question
    hidden: Floats
    curve: Curve
    places: Places
    moment: Moment
    seen: tuple[Pixels, ...]
    before: tuple[Pixels, ...]


def _cases(predictor: Predictor, films: Sequence[Path]) -> Iterator[Case]:
    model, task, rule = predictor.model, predictor.task, predictor.options.rule
    for path in films:
        prediction: FilmPrediction = predictor.predict(path)
        film = ended(encode_film(model, task, rule, path))
        question = film_question(Judge(model, task, rule), film, prediction.top[0].label)
        hidden, window = film.features.mean(0), model.handling.sampling.frames
        curve = ended(find_curve(question, hidden, window))
        moment = moment_of(question, hidden, curve.peak)
        frames = ended(read_frames(model, film, moment.together))
        places = ended(find_places(model, question, moment, frames))
        seen = tuple(frames[step].pixels for step in moment.together)
        before = tuple(frame.before for step in moment.together if (frame := frames[step]).before is not None)
        yield Case(question, hidden, curve, places, moment, seen, before)


@app.command()
def curves(model: Path, films: list[str], most: int = 40, seed: int = 0) -> None:
    """Deletion and insertion of moments and of places, beside random orders of them."""
    predictor, rng = Predictor(open_model(model)[0]), np.random.default_rng(seed)
    rows: dict[str, list[tuple[float, ...]]] = {"moments": [], "places": []}
    for case in _cases(predictor, _some(films, most)):
        rows["moments"].append(_areas(_of_moments(case), case.curve.values, rng))
        rows["places"].append(_areas(_of_places(predictor, case), case.places.values, rng))
    print(f"{len(rows['moments'])} videos, {model}\n")
    print("| | deletion | at random | insertion | at random |\n|---|---|---|---|---|")
    for name, areas in rows.items():
        print(f"| {name} | " + " | ".join(f"{area:.3f}" for area in np.mean(areas, axis=0)) + " |")
    for name, areas in rows.items():
        deletion, by_chance, insertion, chance = np.array(areas).T
        print(
            f"{name}: deletion is below random in {np.mean(deletion < by_chance):.0%} of the videos, insertion above "
            f"it in {np.mean(insertion > chance):.0%}."
        )


Hide = Callable[[Sequence[int]], float]
"""From the parts that are hidden to the probability of the answer."""


def _of_moments(case: Case) -> Hide:
    def hide_steps(steps: Sequence[int]) -> float:
        features = case.question.film.features.copy()
        features[list(steps)] = case.hidden
        return _share(case.question.ask(features))

    return hide_steps


def _of_places(predictor: Predictor, case: Case) -> Hide:
    patches = patches_of(predictor.model.handling.size)

    def all_hidden(picture: Pixels, parts: Sequence[int]) -> Pixels:
        covered = picture.copy()
        for part in parts:
            covered[patches[part]] = hide(picture, patches[part])[patches[part]]
        return covered

    def hide_places(parts: Sequence[int]) -> float:
        pixels = np.stack([all_hidden(each, parts) for each in case.seen])
        before = np.stack([all_hidden(each, parts) for each in case.before]) if case.before else None
        features = case.question.film.features.copy()
        features[case.moment.together.start : case.moment.together.stop] = predictor.model.encode(pixels, before)
        return _share(case.question.ask(features))

    return hide_places


def _areas(hide_parts: Hide, values: Floats, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """The mean probability while parts go from the most decisive one on, and while they come; each beside random."""
    order, count = np.argsort(-values, kind="stable"), len(values)
    chance = [rng.permutation(count) for _ in range(3)]
    cuts = sorted({round(share * count) for share in np.linspace(0, 1, _STEPS)})

    def deletion(parts: np.ndarray) -> float:
        return float(np.mean([hide_parts(parts[:cut]) for cut in cuts]))

    def insertion(parts: np.ndarray) -> float:
        return float(np.mean([hide_parts(parts[cut:]) for cut in cuts]))

    by_chance = (float(np.mean([way(one) for one in chance])) for way in (deletion, insertion))
    deleted, inserted = by_chance
    return deletion(order), deleted, insertion(order), inserted


def _share(odds: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


@app.command()
def random(model: Path, films: list[str], most: int = 20, seed: int = 0) -> None:
    """Rank correlation of the reasons of a model with those of the same model whose head has random weights."""
    import torch
    from scipy.stats import spearmanr

    from vidrnn.model.checkpoint import load_model
    from vidrnn.runtimes.torch import TorchRuntime

    loaded, shuffled = load_model(model), load_model(model)
    torch.manual_seed(seed)
    for part in shuffled.network.split[1].modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    runtimes = (TorchRuntime(loaded), TorchRuntime(shuffled))
    when, where = [], []
    for path in _some(films, most):
        curve, other = (_reasons(Predictor(runtime), path, runtimes[0]) for runtime in runtimes)
        when.append(float(spearmanr(curve[0], other[0]).statistic))
        where.append(float(spearmanr(curve[1], other[1]).statistic))
    print(f"{len(when)} videos, {model}: rank correlation with the reasons of a random head\n")
    print("| | mean | mean of the absolute value |\n|---|---|---|")
    for name, found in {"moments": when, "places": where}.items():
        print(f"| {name} | {np.nanmean(found):.2f} | {np.nanmean(np.abs(found)):.2f} |")


def _reasons(predictor: Predictor, path: Path, trained: Any) -> tuple[Floats, Floats]:
    """The curve and the map of the class that the trained model names, of the middle of the film."""
    label = Predictor(trained).predict(path).top[0].label
    model, task, rule = predictor.model, predictor.task, predictor.options.rule
    film = ended(encode_film(model, task, rule, path))
    question = film_question(Judge(model, task, rule), film, label)
    curve = ended(find_curve(question, film.features.mean(0), model.handling.sampling.frames))
    step = len(curve.seconds) // 2
    moment = Moment(step, range(step, min(step + 4, len(curve.seconds))))
    places = ended(find_places(model, question, moment, ended(read_frames(model, film, moment.together))))
    return curve.values, places.values


def _some(films: list[str], most: int) -> list[Path]:
    found = sorted(find_films(films))
    return [found[place] for place in sorted({int(share) for share in np.linspace(0, len(found) - 1, most)})]


if __name__ == "__main__":
    app()
