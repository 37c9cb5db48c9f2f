"""Moving MNIST: films of two digits that move and bounce, from any idx file of digits.

    python benchmarks/moving_mnist.py films OUT [--part train|val|all] [--clips 1000] [--digits FILE] [--seed 0]
    python benchmarks/moving_mnist.py learn     [--decoder kernel] [--epochs 12] [--test FILE] [--out MODEL]
    python benchmarks/moving_mnist.py floor     [--part val] [--clips 300] [--digits FILE] [--seed 0]

`learn` trains a convolutional GRU on training digits; it sees every film once. It scores the model and the baselines on
films of validation digits, or of the digits of another file, and prints processor time. `films` writes a folder of
lossless films for `vidrnn train OUT --task next-frame --grey`. `floor` prints the scores of predictions without
learning, for 10 frames in and 10 out.

The rules are those of Srivastava, Mansimov and Salakhutdinov, "Unsupervised learning of video representations using
LSTMs", ICML 2015: 64 x 64 pixels, two digits of 28 x 28; a digit begins anywhere, moves in any direction by a tenth of
its free range (3.6 pixels) a frame, turns back at the borders, and the brighter pixel wins where digits overlap.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console

from vidrnn import __version__
from vidrnn.cli.views.reports import show_report
from vidrnn.config import DecoderName, HeadConfig
from vidrnn.evaluate.baselines import RULES, MeanImage
from vidrnn.evaluate.forecast_scores import score_forecasts
from vidrnn.evaluate.metrics import FrameMeter
from vidrnn.model.checkpoint import LoadedModel, save_model
from vidrnn.model.metadata import ModelHeader
from vidrnn.nets.classifier import count_parameters, seed_everything
from vidrnn.nets.frame_predictor import FramePredictor
from vidrnn.nets.network import Network, build_network
from vidrnn.nets.spec import EncoderConfig, ForecastConfig, ModelSpec
from vidrnn.runtimes.torch import TorchRuntime
from vidrnn.tables import Report
from vidrnn.train.fit import Fit, Lesson, Plan, Validation
from vidrnn.train.lessons.next_frame import Curriculum
from vidrnn.train.shares.device import prepare_device
from vidrnn.train.shares.minibatches import Drawn, Window
from vidrnn.values import AnswerSpec, DecisionRule

FOOTAGE = Path(__file__).resolve().parents[2] / "shared" / "data"
DIGITS = FOOTAGE / "mnist" / "train-images-idx3-ubyte.gz"
SIDE = 64  # pixels of a frame
FRAMES = 20  # of a film: 10 are seen, 10 predicted
CONTEXT = 10
STEP = 0.1  # a frame, of the range that a digit has to move in
DIGITS_SHOWN = 2
FPS = 10.0
ANSWER = AnswerSpec("next-frame", "picture", "frame", ("normal", "anomaly"), background="normal")
_UNBOUNDED = 1_000_000
_TRAINING_DIGITS = 50_000  # of the 60,000 of MNIST; the rest is for validation
_PICTURES_MAGIC = 0x0803

Pictures = NDArray[np.uint8]
"""(count, height, width) grey."""
Clips = NDArray[np.uint8]
"""(clips, frames, 64, 64) grey."""


class Digits(StrEnum):
    """Which of a file's digits films are made from; those of training and validation are never the same."""

    TRAIN = "train"
    VAL = "val"
    ALL = "all"


def read_digits(file: Path = DIGITS, part: Digits | str = Digits.ALL) -> Pictures:
    """The pictures of an idx file, gzipped or not: its first 50,000 for training, the others for validation, or all."""
    raw = file.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    magic, count, height, width = (int(number) for number in np.frombuffer(raw[:16], ">u4"))
    if magic != _PICTURES_MAGIC or len(raw) != 16 + count * height * width:
        raise SystemExit(f"{file}: is not a whole idx file of pictures, such as train-images-idx3-ubyte.gz.")
    digits = np.frombuffer(raw, np.uint8, offset=16).reshape(count, height, width)
    parts = {Digits.TRAIN: slice(_TRAINING_DIGITS), Digits.VAL: slice(_TRAINING_DIGITS, None), Digits.ALL: slice(None)}
    digits = digits[parts[Digits(part)]]
    if not len(digits):
        raise SystemExit(f"{file}: {count:,} pictures leave none for {part}. Use --part all.")
    return digits


def moving_digits(digits: Pictures, clips: int, *, frames: int = FRAMES, seed: int = 0) -> Clips:
    """Films (clips, frames, 64, 64) of digits drawn from `digits`; one seed, one set of films.

    The first films of a larger set are those of a smaller one with the same seed.
    """
    films = np.zeros((clips, frames, SIDE, SIDE), dtype=np.uint8)
    draws = [np.random.default_rng((seed, number)) for number in range(clips)]
    shown = np.stack([rng.integers(len(digits), size=DIGITS_SHOWN) for rng in draws])
    height, width = digits.shape[1:]
    corners = (_paths(draws, frames) * [SIDE - height, SIDE - width]).astype(int)
    for clip, chosen, path in zip(films, digits[shown], corners.tolist(), strict=True):
        for frame, places in zip(clip, path, strict=True):
            for digit, (top, left) in zip(chosen, places, strict=True):
                under = frame[top : top + height, left : left + width]
                np.maximum(under, digit, out=under)
    return films


def _paths(draws: Sequence[np.random.Generator], frames: int) -> NDArray[np.float64]:
    """Where each digit of each clip is, (clips, frames, digits, 2) in [0, 1] of the range that it has to move in.

    The first frame is one step from where the digit began, as in the authors' program.
    """
    began = np.stack([rng.random((DIGITS_SHOWN, 3)) for rng in draws])
    place, angle = began[..., :2], began[..., 2] * 2 * np.pi
    speed = STEP * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    path = []
    for _ in range(frames):
        place = place + speed
        speed = np.where((place <= 0) | (place >= 1), -speed, speed)
        place = place.clip(0, 1)
        path.append(place)
    return np.stack(path, axis=1)


def write_films(clips: Clips, folder: Path, fps: float = FPS) -> list[Path]:
    """Each clip as a film of its own, clip00000.mkv and so on, whose pixels are read back exactly (FFV1)."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"clip{number:05d}.mkv" for number in range(len(clips))]
    for path, clip in zip(paths, clips, strict=True):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), fps, (SIDE, SIDE))
        if not writer.isOpened():
            raise SystemExit(f"{path}: this OpenCV cannot write FFV1.")
        for frame in clip:
            writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
        writer.release()
    return paths


app = typer.Typer(add_completion=False, help="Moving MNIST: films of digits, a training, and baselines.")


@app.command()
def films(
    out: Path,
    part: Digits = Digits.TRAIN,
    clips: int = 1000,
    frames: int = FRAMES,
    digits: Path = DIGITS,
    seed: int = 0,
) -> None:
    """Write a folder of films."""
    write_films(moving_digits(read_digits(digits, part), clips, frames=frames, seed=seed), out)
    print(f"{out}: {clips:,} films of {frames} frames, {SIDE}x{SIDE}, digits of {digits.name} ({part})")


@app.command()
def floor(part: Digits = Digits.VAL, clips: int = 300, digits: Path = DIGITS, seed: int = 1) -> None:
    """Print the scores of predictions without learning, 10 frames in and 10 out."""
    learnt = moving_digits(read_digits(digits, Digits.ALL if part is Digits.ALL else Digits.TRAIN), 2000)
    mean = MeanImage()
    for clip in learnt:
        mean.add(clip[..., None].astype(np.float32) / 255)
    rules = {"black frame": RULES["black frame"], mean.name: mean.predict, **RULES}
    meters = {name: FrameMeter() for name in rules}
    for clip in moving_digits(read_digits(digits, part), clips, seed=seed):
        frames = clip[..., None].astype(np.float32) / 255
        for name, rule in rules.items():
            meters[name].add(rule(frames[:CONTEXT], len(frames) - CONTEXT)[None], frames[None, CONTEXT:])
    print("| | MSE | MAE | SSIM | PSNR | MSE, one step ahead | MSE, the last step |\n|---|---|---|---|---|---|---|")
    for name, meter in meters.items():
        scores = meter.scores()
        all_steps, first, last = scores.overall, scores.per_step[0], scores.per_step[-1]
        print(
            f"| {name} | {all_steps.mse_sum:.1f} | {all_steps.mae_sum:.1f} | {all_steps.ssim:.3f} | "
            f"{all_steps.psnr:.1f} | {first.mse_sum:.1f} | {last.mse_sum:.1f} |"
        )
    print("\n".join(scores.definitions))


@dataclass(frozen=True)
class Training:
    """How a network learns digits that move."""

    decoder: DecoderName = "kernel"
    head: str = "convgru"
    epochs: int = 12
    steps: int = 40
    """Minibatches in an epoch."""
    minibatch: int = 16
    seed: int = 0
    device: str = "cpu"
    seconds: float | None = None
    """A limit. The training then goes on until it ends, whatever `epochs` says."""
    validated: int = 48
    """Films that each epoch is validated on."""

    @property
    def spec(self) -> ModelSpec:
        """The parts and sizes of the network."""
        return ModelSpec(
            network="frames",
            forecast=ForecastConfig(
                context=CONTEXT, horizon=FRAMES - CONTEXT, decoder=self.decoder, grey=True, faint=0.1
            ),
            encoder=EncoderConfig(name="pyramid", frozen=False, origin="none", grey=True),
            head=HeadConfig(name=self.head, size=64, dropout=0.0),
            readout="mean",
            height=SIDE,
            width=SIDE,
            frames=FRAMES,
            spacing_seconds=1 / FPS,
        )

    def fit(self, shown: Pictures, held: Pictures) -> Fit:
        """A training on endless films of the digits `shown`, each film once, validated on digits that are held out."""
        device = torch.device(self.device)
        prepare_device(device)
        seed_everything(self.seed)
        network = build_network(self.spec, ANSWER).to(device).to(memory_format=torch.channels_last)
        assert isinstance(network, FramePredictor)
        curriculum = Curriculum(CONTEXT, FRAMES - CONTEXT, scale=0.05, drawing=False)
        val = torch.from_numpy(_in_colour(moving_digits(held, self.validated, seed=self.seed + 2)))

        def minibatches(epoch: int) -> Iterator[Drawn]:
            for step in range(self.steps):
                seed = 1_000_000 * (self.seed + 1) + epoch * self.steps + step
                films = _in_colour(moving_digits(shown, self.minibatch, seed=seed))
                yield Drawn([Window(film, slice(None), np.asarray(-1), FRAMES) for film in films], FRAMES)

        def validate() -> Validation:
            pictures = network.pictures_of(val.to(device))
            _, ahead = network.rollout(pictures[:, :CONTEXT], FRAMES - CONTEXT)
            errors = (network.shown(ahead) - pictures[:, CONTEXT:]).square().sum((2, 3, 4)).mean(0)
            return Validation(-float(errors.mean()), float(errors.mean()), {"first": float(errors[0])})

        lesson = Lesson(
            network=network,
            answer=curriculum.answer,
            loss=curriculum.cost,
            minibatches=minibatches,
            steps=self.steps,
            validate=validate,
            advance=curriculum.advance,
            device=device,
        )
        epochs = self.epochs if self.seconds is None else _UNBOUNDED
        plan = Plan(
            epochs, learning_rate=2e-3, weight_decay=1e-4, patience=epochs, seed=self.seed, seconds=self.seconds
        )
        return Fit(lesson, plan)


def model_of(network: Network, training: Training, folder: Path) -> LoadedModel:
    """A network that has learnt digits, as a model."""
    rule = DecisionRule(threshold=0.5, hysteresis=0.1, shortest_seconds=0.2, reset="never")
    header = ModelHeader(
        vidrnn_version=__version__,
        answer=ANSWER,
        decision=rule,
        spec=training.spec,
        seed=training.seed,
        seen={},
        scores={},
        facts={},
    )
    return LoadedModel(network, header, folder)


def scores_of(model: LoadedModel, shown: Pictures, unseen: Clips, part: str, averaged: int = 2000) -> Report:
    """The scores of a model on unseen films, beside baselines. The mean image is of so many films of shown digits."""
    mean = MeanImage()
    for clip in moving_digits(shown, averaged):
        mean.add(clip[..., None].astype(np.float32) / 255)
    return score_forecasts(TorchRuntime(model), list(_in_colour(unseen)), mean, part)


@app.command()
def learn(  # noqa: PLR0913, PLR0917 - each is a flag
    decoder: DecoderName = "kernel",
    head: str = "convgru",
    epochs: int = 12,
    steps: int = 40,
    minibatch: int = 16,
    digits: Path = DIGITS,
    test: Path | None = None,
    clips: int = 300,
    threads: int = 2,
    seed: int = 0,
    device: str = "cpu",
    out: Path | None = None,
) -> None:
    """Train on endless films, and print the scores beside baselines."""
    shown = read_digits(digits, Digits.TRAIN)
    training = Training(decoder, head, epochs, steps, minibatch, seed, device)
    fit = training.fit(shown, read_digits(digits, Digits.VAL))
    torch.set_num_threads(threads)  # there is one share only, which they compute together
    began = time.process_time()
    for epoch in fit.run():
        spent = (time.process_time() - began) / 60
        validation = epoch.validation
        print(
            f"epoch {epoch.number}/{epochs}  {epoch.number * steps * minibatch:,} films  validation MSE "
            f"{validation.loss:.1f}, one step ahead {validation.shown['first']:.1f}  {spent:.1f} minutes of processor",
            flush=True,
        )
    spent = (time.process_time() - began) / 60
    network = fit.lesson.network
    assert isinstance(network, FramePredictor)
    model = model_of(network, training, Path("moving-mnist"))
    if out:
        save_model(out, network, model.header, f"# {out.name}\n\nMoving MNIST, {spent:.1f} minutes of processor.\n")
    unseen = moving_digits(read_digits(test or digits, Digits.ALL if test else Digits.VAL), clips, seed=seed + 1)
    part = f"{(test or digits).name}, digits not seen in training"
    show_report(scores_of(model, shown, unseen, part), Console(width=120))
    print(f"{count_parameters(network):,} parameters, {spent:.1f} minutes of processor, validation counted in")


def _in_colour(clips: Clips) -> Clips:
    """As films are read: (clips, frames, height, width, 3)."""
    return np.repeat(clips[..., None], 3, axis=-1)


if __name__ == "__main__":
    app()
