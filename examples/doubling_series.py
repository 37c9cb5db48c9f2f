"""Two series that show when a recurrent network is worth having, and when it is not.

    python examples/doubling_series.py [--quick]

The first doubles at every step, and needs no network: one parameter is exact. It shows what scales do to training. In
the second the answer is the first of a hundred values, and without memory nobody can know it. Takes about two minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence, seed_everything
from vidrnn.nets.heads import HEADS
from vidrnn.nets.heads.base import Head
from vidrnn.nets.readouts import READOUTS
from vidrnn.nets.state import State

LENGTH, FIRST, SPLIT = 100, 2, 70
"""Steps of the series, the first that is forecast (log differences want two before it), and the first of the test."""
CLASSICAL = ("rnn", "lstm", "gru")
LEVELS, WIDTH = 4, 8
LEARNT = 0.98
LARGEST_GRADIENT = 1.0
"""The norm that gradients are clipped to, as in vidrnn's own training."""


# The series that doubles


def doubling() -> Tensor:
    """1, 2, 4, ... as (LENGTH,) float64, exact, since a power of two is."""
    return 2.0 ** torch.arange(LENGTH, dtype=torch.float64)


def first_overflow(series: Tensor) -> int:
    """The first step whose square is infinite in float32."""
    return int(series.float().square().isinf().nonzero()[0])


class Forecaster(nn.Module):
    """One number in, the next one out: a head of vidrnn's, and a linear output.

    The head's own inlet makes each frame's features have mean 0 and deviation 1, which would leave nothing of a single
    number; here a plain linear layer stands in its place.
    """

    def __init__(self, name: str, size: int = 16) -> None:
        super().__init__()
        self.head: Head = build_sequence(1, HeadConfig(name=name, size=size), "last", 2).head
        self.head.inlet = nn.Linear(1, size)
        self.output = nn.Linear(size, 1)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(time,) -> what is said of each next step (time,), and the state to read on from."""
        sequence, state = self.head(inputs[None, :, None], state)
        return self.output(sequence)[0, :, 0], state


@dataclass(frozen=True)
class View:
    """The series as a network is shown it."""

    name: str
    inputs: Tensor
    """(LENGTH - FIRST,) what is known before each step that is forecast."""
    targets: Tensor
    forecast: Callable[[Tensor], Tensor]
    """What the network says of the test's steps -> values of the series."""
    trained_to: int = SPLIT
    """The step before which training stops."""


@dataclass(frozen=True)
class Result:
    """How one forecaster did. Losses are mean squared errors in the units the network was shown."""

    view: str
    forecaster: str
    train_loss: float
    test_loss: float
    relative_error: float
    moved: float = 0.0
    """How far training took the weights, as a share of their size."""


def views(series: Tensor) -> Iterator[View]:
    """Raw, raw but short of the overflow, scaled by a maximum from the future, and log differences."""
    before, now, largest = series[FIRST - 1 : -1], series[FIRST:], series.max()
    steps = series.log().diff()
    yield View("raw", before, now, lambda said: said)
    yield View("raw, steps to 63", before, now, lambda said: said, trained_to=first_overflow(series))
    yield View("divided by the last value", before / largest, now / largest, lambda said: said * largest)
    yield View("log differences", steps[:-1], steps[1:], lambda said: series[SPLIT - 1 : -1] * said.exp())


def train_on(view: View, name: str, series: Tensor, steps: int, seed: int) -> Result:
    """Train on the steps before the split, then forecast each later step from all before it."""
    seed_everything(seed)
    network = Forecaster(name)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    inputs, targets = view.inputs.float(), view.targets.float()
    trained, split = slice(0, view.trained_to - FIRST), SPLIT - FIRST
    start = flat(network)
    for _ in range(steps):
        loss = nn.functional.mse_loss(network(inputs[trained])[0], targets[trained])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
        optimiser.step()
    with torch.no_grad():
        past, state = network(inputs[:split])
        said, _ = network(inputs[split:], state)
    return Result(
        view.name,
        name,
        float(nn.functional.mse_loss(past[trained], targets[trained])),
        float(nn.functional.mse_loss(said, targets[split:])),
        relative_error(view.forecast(said.double()), series),
        float((flat(network) - start).norm() / start.norm()),
    )


def flat(network: nn.Module) -> Tensor:
    """All weights in one row."""
    return torch.cat([weight.detach().clone().ravel() for weight in network.parameters()])


def relative_error(forecast: Tensor, series: Tensor) -> float:
    """The mean of |forecast - truth| / truth over the test's steps."""
    return float(((forecast - series[SPLIT:]) / series[SPLIT:]).abs().mean())


def without_network(series: Tensor) -> Iterator[Result]:
    """The naive forecast, the autoregression of one parameter, and on the scale of the future, always 0."""
    past, before, test, largest = series[FIRST - 1 : SPLIT - 1], series[SPLIT - 1 : -1], series[SPLIT:], series.max()
    now = series[FIRST:SPLIT]
    slope = (past * now).sum() / past.square().sum()
    for name, factor in (("the value before", 1.0), (f"{slope:g} times the value before", slope)):
        losses = (mean_square(factor * past, now), mean_square(factor * before, test))
        yield Result("raw", name, *losses, relative_error(factor * before, series))
    nothing = (mean_square(0 * now, now / largest), mean_square(0 * test, test / largest))
    yield Result("divided by the last value", "always 0", *nothing, relative_error(0 * test, series))


def mean_square(forecast: Tensor, truth: Tensor) -> float:
    """The squared loss, in float64."""
    return float((forecast - truth).square().mean())


# The series that wants memory


@dataclass(frozen=True)
class Recall:
    """How well one head with one readout recalls the first of a hundred values."""

    head: str
    readout: str
    accuracy: float
    """On series not seen in training; chance is 1 / LEVELS."""
    steps: int
    """Of training, 32 series each."""


def levels(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Series of one of four levels at every step, as features (count, LENGTH, WIDTH), and the first level of each.

    A level comes as a feature of its own among noise, since heads normalise what they are given over its width.
    """
    level = torch.randint(LEVELS, (count, LENGTH), generator=random)
    noise = torch.randn(count, LENGTH, WIDTH, generator=random)
    return 3 * nn.functional.one_hot(level, WIDTH) + 0.5 * noise, level[:, 0]


def recall(head: str, readout: str, steps: int, seed: int) -> Recall:
    """Train until the first level is recalled, or for so many steps."""
    seed_everything(seed)
    network = build_sequence(WIDTH, HeadConfig(name=head, size=32), readout, LEVELS)
    optimiser = torch.optim.Adam(network.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps + 1)
    random, held_out = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)
    judged, right, step = levels(512, held_out), 0.0, 0
    while step < steps and right < LEARNT:
        for _ in range(20):
            features, first = levels(32, random)
            loss = nn.functional.cross_entropy(network(features)[0].clip, first)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            rate.step()
        step += 20
        right = accuracy_of(network, judged)
    return Recall(head, readout, accuracy_of(network, levels(512, held_out)), step)


def accuracy_of(network: nn.Module, judged: tuple[Tensor, Tensor]) -> float:
    """The share of series whose first level is recalled."""
    with torch.no_grad():
        return float((network(judged[0])[0].clip.argmax(1) == judged[1]).float().mean())


# What is shown


def show_doubling(console: Console, results: list[Result]) -> None:
    """A row for each forecaster and view."""
    table = Table(title=f"y doubles: trained on steps {FIRST} to {SPLIT - 1}, tested on {SPLIT} to {LENGTH - 1}")
    for column in ("shown as", "forecast by", "train loss", "test loss", "relative error", "weights moved"):
        table.add_column(column, justify="left" if column in ("shown as", "forecast by") else "right")
    for one in results:
        moved = f"{one.moved:.2f}" if one.forecaster in CLASSICAL else ""
        losses = (f"{one.train_loss:.2g}", f"{one.test_loss:.2g}")
        table.add_row(one.view, one.forecaster, *losses, f"{one.relative_error:.2g}", moved)
    console.print(table)


def show_recall(console: Console, results: list[Recall]) -> None:
    """A row for each head, a column for each readout."""
    readouts = list(dict.fromkeys(one.readout for one in results))
    table = Table("head", *readouts)
    for head in dict.fromkeys(one.head for one in results):
        row = {one.readout: f"{one.accuracy:.2f} ({one.steps})" for one in results if one.head == head}
        table.add_row(head, *(row.get(readout, "") for readout in readouts))
    console.print(table)


OVERFLOW = """[bold]1. A series that doubles.[/bold] y is 1, 2, 4, ... and each forecast is one step ahead.
In float32 the square of y_{last} is {square:.1e} and that of y_{first} is infinite: so is a squared loss of raw values.
"""

LESSON = """
Raw, the loss is infinite, and so is the norm of its gradient: clipping scales every step to nothing, and the weights
stay where they were. Short of the overflow the loss is a number, but a cell says numbers between -1 and 1, and the
output would have to grow by 18 orders of magnitude.
Divided by the last value, which only the future knows, the losses look small. "Always 0" has the same test loss, since
on that scale nearly all values are about 0. The relative error, which has no scale, says that nothing was learnt.
As log differences the series is one number over and over, and every network learns that number.
[bold]This series needs no network:[/bold] one parameter, fitted by least squares on the same part, is exact.
"""

MEMORY = """[bold]2. A series that wants memory.[/bold] One of four values at each of {length} steps; which was first?
Share recalled of series not seen in training; chance is {chance:g}. In brackets the steps of training on 32 series.
"""

RECALLED = """
Without recurrence nothing tells which of the {length} values was the first. The last state is {length} steps of
gradient away from it, which takes much longer to learn, if it is learnt. Attention reaches every step at once, and the
head has only to mark the first.
"""


def main(quick: bool = False, seed: int = 0) -> None:
    """Train, forecast and print; --quick trains less, and fewer heads."""
    torch.set_num_threads(1)
    console, series = Console(width=130, highlight=False), doubling()
    over = first_overflow(series)
    console.print(OVERFLOW.format(last=over - 1, square=float(series[over - 1] ** 2), first=over))
    show_doubling(console, doubling_results(series, quick, seed))
    console.print(LESSON)
    console.print(MEMORY.format(length=LENGTH, chance=1 / LEVELS))
    show_recall(console, recall_results(quick, seed))
    console.print(RECALLED.format(length=LENGTH))


def doubling_results(series: Tensor, quick: bool, seed: int) -> list[Result]:
    """Every classical head on every view, after the forecasts that need none."""
    trained = [train_on(view, name, series, 60 if quick else 200, seed) for view in views(series) for name in CLASSICAL]
    return [*without_network(series), *trained]


def recall_results(quick: bool, seed: int) -> list[Recall]:
    """Every head with every readout; two and two if quick."""
    heads, readouts = (("none", "lstm"), ("attention", "last")) if quick else (tuple(HEADS), tuple(READOUTS))
    return [recall(head, readout, 240, seed) for head in heads for readout in readouts]


if __name__ == "__main__":
    typer.run(main)
