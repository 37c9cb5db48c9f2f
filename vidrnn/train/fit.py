"""Weights learn: one loop for every task. Knows minibatches and scores, not films; yields epochs and steps."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from threading import Event
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vidrnn.errors import TrainingError
from vidrnn.model.checkpoint import TrainingState, all_finite
from vidrnn.train.shares.ahead import Read, read_ahead, read_as_needed
from vidrnn.train.shares.minibatches import Drawn, Minibatch, Targets
from vidrnn.train.shares.randomness import Randomness
from vidrnn.train.shares.workers import Workers

_WARM_UP = 0.1
"""The share of training in which the learning rate rises from nothing."""
_LARGEST_GRADIENT = 1.0
_SAFE_RATE = 0.001
"""Few trainings diverge at this learning rate."""
_NORMALISED = 4
"""The fewest clips in a share that batch normalisation takes its statistics of."""
_MEAN_DECAY = 0.97
"""Of the running mean over the steps' weights. The mean is validated and stored: it varies less than single steps."""


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train."""

    epochs: int
    learning_rate: float
    weight_decay: float
    patience: int
    seed: int
    shares: int = 1
    """Parts of each minibatch. The weights depend on it: normalisation and random numbers are per share."""
    seconds: float | None = None
    """A time limit; the learning rate then falls with the clock, not with the steps."""
    last_weights: bool = False
    """Whether the last weights count as the best, whatever validation says."""


@dataclass(frozen=True)
class Validation:
    """The validation after an epoch: the score that decides, and numbers for people."""

    score: float
    loss: float
    shown: dict[str, float] = field(default_factory=dict)

    @property
    def finite(self) -> bool:
        """Whether the network answered with numbers at all."""
        return math.isfinite(self.score) and math.isfinite(self.loss)

    def better_than(self, other: Validation | None) -> bool:
        """A higher score; the lower loss where scores are level."""
        return other is None or (self.score, -self.loss) > (other.score, -other.loss)


@dataclass(frozen=True)
class Epoch:
    """One epoch's event."""

    number: int
    of: int
    train_loss: float
    validation: Validation
    best: int
    """The number of the epoch whose weights are the best so far."""
    seconds: float


@dataclass(frozen=True)
class Partway:
    """The event of a step inside an epoch."""

    epoch: int
    """The number of the epoch."""
    step: int
    """The number of steps in it that are done."""
    of: int


class Keep(Protocol):
    """Called after each step; writes a checkpoint when one is due."""

    def __call__(self, fit: Fit, *, now: bool = False) -> None:
        """`now`: it is due in any case, since the training ends."""


@dataclass
class Lesson:
    """A network with its answers, its loss, its minibatches and its validation."""

    network: nn.Module
    answer: Callable[[Any, Minibatch, Randomness], Any]
    """The network, or a copy of it with the same weights; a share; its random numbers -> an answer."""
    loss: Callable[[Any, Minibatch, Targets], Tensor]
    """An answer, its share and the truth of the whole minibatch -> the part () of the share in the loss."""
    minibatches: Callable[[int], Iterable[Drawn]]
    """Epoch number -> its minibatches, the same each time."""
    steps: int
    """Minibatches in an epoch."""
    validate: Callable[[], Validation] | None
    """None: there is no validation, and the last weights count as the best."""
    advance: Callable[[float], None] = lambda progress: None
    """Called before each minibatch with the share of the training that is done, 0 to 1, for a curriculum."""
    members: Sequence[nn.Module] = ()
    """Parts of the network that learn side by side, if there are several. The loss is then the sum of theirs, and the
    gradient of each is bounded by itself, so that each learns as it would alone."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass
class Fit:
    """One training. It can be stopped after any step and resumed with the same result."""

    lesson: Lesson
    plan: Plan
    stop: Event = field(default_factory=Event)
    """Set from outside to end the training after the running step."""
    workers: Workers = field(default_factory=Workers)
    epoch: int = 0
    """Epochs that are done."""
    step: int = 0
    """Steps that are done of the running epoch."""
    best: Validation | None = None
    best_epoch: int = 0
    spent_seconds: float = 0.0
    diverged: bool = False
    """Whether a loss or a weight was not finite, which ended the training. Its best weights are from before."""

    def __post_init__(self) -> None:
        weights = [parameter for parameter in self.lesson.network.parameters() if parameter.requires_grad]
        matrices = [weight for weight in weights if weight.ndim > 1]
        vectors = [weight for weight in weights if weight.ndim <= 1]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": self.plan.weight_decay},
                {"params": vectors, "weight_decay": 0.0},  # biases and norms must not shrink
            ],
            lr=self.plan.learning_rate,
        )
        apart = [list(member.parameters()) for member in self.lesson.members]
        inside = {id(weight) for weights in apart for weight in weights}
        shared = [weight for weight in self.lesson.network.parameters() if id(weight) not in inside]
        self._bounded = [weights for weights in (shared, *apart) if weights]
        """The groups of weights whose gradients are bounded together."""
        self._loss_so_far = 0.0
        self._stopped = False
        self._weights = weights
        self._mean = AveragedModel(self.lesson.network, multi_avg_fn=_ema(), use_buffers=True)
        self._best_weights = _copy(self.lesson.network)

    def run(self, keep: Keep | None = None) -> Iterator[Epoch]:
        """As `steps`, with the events of whole epochs only."""
        return (event for event in self.steps(keep) if isinstance(event, Epoch))

    def steps(self, keep: Keep | None = None) -> Iterator[Epoch | Partway]:
        """Train until the plan, patience, time or `stop` ends it; then the network has its best weights.

        A loss or a weight that is not finite ends it too: no further step can repair such weights. Where `stop` comes
        in the first epoch, the weights of that moment are the best ones.

        Raises:
            TrainingError: that happened before there were any good weights.
        """
        while True:
            if not self.step:  # inside an epoch each step tells all processes
                self._stopped = self.workers.agree(self.stop.is_set())
            if self.finished:
                break
            yield from self._one_epoch(keep)
        if self._stopped and keep:
            keep(self, now=True)
        if self._stopped and not self.best_epoch and self.step and not self.diverged:
            self._validate(1)
        self.restore_best()
        if self.diverged and self.best_epoch == 0:
            raise TrainingError(
                f"Training gave no finite numbers in epoch {self.epoch + 1}, so there is no model. The learning rate "
                f"{self.plan.learning_rate:g} is too high for these videos. Try --learning-rate {self._lower_rate:g}."
            )

    @property
    def remark(self) -> str:
        """A sentence for the user where the training ended early because it diverged."""
        if not self.diverged:
            return ""
        return (
            f"Training gave no finite numbers in epoch {self.epoch + 1} and was stopped there. The model is that of "
            f"epoch {self.best_epoch}. A lower learning rate can help: --learning-rate {self._lower_rate:g}."
        )

    @property
    def _lower_rate(self) -> float:
        """A learning rate that is worth a try where this one is too high."""
        return min(self.plan.learning_rate / 10, _SAFE_RATE)

    @property
    def finished(self) -> bool:
        """Whether no further epoch follows."""
        out_of_patience = self.epoch - self.best_epoch >= self.plan.patience and self.epoch > 0
        out_of_time = self.plan.seconds is not None and self.spent_seconds >= self.plan.seconds and self.epoch > 0
        ended = self.diverged or self._stopped
        return ended or self.epoch >= self.plan.epochs or out_of_patience or out_of_time

    def accept(self) -> None:
        """Take the weights that the network has now for the result: they were found without steps.

        Raises:
            TrainingError: they are not finite.
        """
        network, self.epoch, self.best_epoch = self.lesson.network.eval(), 1, 1
        with torch.inference_mode():
            self.best = self.lesson.validate() if self.lesson.validate else None
        if not all_finite(network.state_dict()):
            raise TrainingError(
                "Training gave weights that are not finite numbers, so there is no model. Are the features of these "
                "videos finite numbers?"
            )
        self._best_weights = _copy(network)

    def restore_best(self) -> None:
        """Give the network its best weights: those at an epoch's end, averaged over the steps before it."""
        self.lesson.network.load_state_dict(self._best_weights)
        self.lesson.network.eval()

    def state(self) -> TrainingState:
        """The checkpoint at the end of this epoch."""
        tensors = {f"now.{name}": tensor for name, tensor in self.lesson.network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self._best_weights.items()}
        tensors |= {f"mean.{name}": tensor for name, tensor in self._mean.state_dict().items()}
        for index, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        facts: dict[str, Any] = {
            "epoch": self.epoch,
            "step": self.step,
            "loss_so_far": self._loss_so_far,
            "best_epoch": self.best_epoch,
            "spent_seconds": self.spent_seconds,
            "seconds": self.plan.seconds,
        }
        if self.best:
            facts["best"] = {"score": self.best.score, "loss": self.best.loss, "shown": self.best.shown}
        return TrainingState(tensors, facts)

    def resume(self, state: TrainingState) -> None:
        """Continue from the checkpoint `state`."""
        named = {part: _part(state.tensors, part) for part in ("now", "best", "mean", "optimiser")}
        self.lesson.network.load_state_dict(named["now"])
        self._mean.load_state_dict(named["mean"])
        self._best_weights = named["best"]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in named["optimiser"].items():
            index, _, moment = name.partition(".")
            moments.setdefault(int(index), {})[moment] = tensor
        self._optimiser.load_state_dict({**self._optimiser.state_dict(), "state": moments})
        facts: dict[str, Any] = dict(state.facts)
        self.epoch, self.best_epoch = facts["epoch"], facts["best_epoch"]
        self.step, self._loss_so_far = facts["step"], facts["loss_so_far"]
        self.spent_seconds = facts["spent_seconds"]
        if self.plan.seconds is not None:  # the learning rate goes on falling as it did
            self.plan = replace(self.plan, seconds=facts.get("seconds", self.plan.seconds))
        self.best = Validation(**facts["best"]) if "best" in facts else None

    def _one_epoch(self, keep: Keep | None) -> Iterator[Epoch | Partway]:
        """Train to the end of the running epoch and validate, unless the training ends before."""
        started, before = time.monotonic(), self.spent_seconds
        self.lesson.network.train()
        for minibatch, read in self._read(islice(self.lesson.minibatches(self.epoch), self.step, None)):
            loss = self._step(minibatch, read, self._progress())
            if not math.isfinite(loss):
                self.diverged = True
                return
            self._loss_so_far += loss
            self.step += 1
            self.spent_seconds = self._agreed_seconds(before + time.monotonic() - started)
            if self._stopped and self.step < self.lesson.steps:
                return
            if self.plan.seconds is not None and self.spent_seconds >= self.plan.seconds and self.best:
                break
            if self.step < self.lesson.steps:
                if keep:
                    keep(self)
                yield Partway(self.epoch + 1, self.step, self.lesson.steps)
        validation = self._validate(self.epoch + 1)
        if self.diverged:
            return
        mean, self.epoch, self.step, self._loss_so_far = self._loss_so_far / max(1, self.step), self.epoch + 1, 0, 0.0
        self.spent_seconds = self._agreed_seconds(before + time.monotonic() - started)
        if keep:
            keep(self)
        seconds = self.spent_seconds - before
        yield Epoch(self.epoch, self.plan.epochs, mean, validation, self.best_epoch, seconds)

    def _agreed_seconds(self, seconds: float) -> float:
        """The seconds that the first process has spent, where they decide anything."""
        return seconds if self.plan.seconds is None else self.workers.agree(seconds)

    def _validate(self, number: int) -> Validation:
        """Validate the mean weights after the epoch of that number; store them if they are the best so far."""
        network, now = self.lesson.network, _copy(self.lesson.network)
        network.load_state_dict(self._mean.module.state_dict())
        network.eval()
        validation = Validation(0.0, math.nan)
        if all_finite(network.state_dict()):
            with torch.inference_mode():
                validation = Validation(0.0, 0.0) if self.lesson.validate is None else self.lesson.validate()
            validation = self.workers.agree(validation)
        self.diverged = not validation.finite
        newest_counts = self.lesson.validate is None or self.plan.last_weights
        if not self.diverged and (newest_counts or validation.better_than(self.best)):
            self.best, self.best_epoch, self._best_weights = validation, number, _copy(network)
        network.load_state_dict(now)
        return validation

    def _read(self, minibatches: Iterable[Drawn]) -> Iterator[tuple[Drawn, Read]]:
        """Each minibatch with a function that reads its shares."""
        device = self.lesson.device
        if device.type == "cpu":
            return read_as_needed(minibatches, self._rows)
        return read_ahead(minibatches, self._rows, lambda drawn: self.workers.own(self._shares_of(drawn)), device)

    def _rows(self, minibatch: Drawn, number: int) -> slice:
        """The windows of a minibatch that are in a share."""
        count = self._shares_of(minibatch)
        return slice(len(minibatch) * number // count, len(minibatch) * (number + 1) // count)

    def _step(self, minibatch: Drawn, read: Read, progress: float) -> float:
        """One step on a minibatch; its loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.plan.learning_rate * _rate(progress)
        self.lesson.advance(progress)
        count = self._shares_of(minibatch)
        share = partial(self._share, read, minibatch.targets.on(self.lesson.device))
        own = self.workers.each(share, self.workers.own(count))
        every = self.workers.exchange(own, count, self._vector)
        loss, self._stopped = self._take(every)
        for weights in self._bounded:
            nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)
        self._optimiser.step()
        self._mean.update_parameters(self.lesson.network)
        return loss / max(1, len(self.lesson.members))

    def _shares_of(self, minibatch: Drawn) -> int:
        """The number of shares of a minibatch: fewer than planned if some would be too small to be normalised."""
        fewest = _NORMALISED if _statistics(self.lesson.network) else 1
        return max(1, min(self.plan.shares, len(minibatch) // fewest))

    def _share(self, read: Read, whole: Targets, number: int) -> Tensor:
        """What a share adds to a step, as one vector: see `_take`."""
        network, lesson, share = self._copies[number], self.lesson, read(number)
        randomness = Randomness((self.plan.seed, self.epoch, self.step, number))
        loss = lesson.loss(lesson.answer(network, share, randomness), share, whole)
        gradients = torch.autograd.grad(loss, self._weights, allow_unused=True)
        has = [float(gradient is not None) for gradient in gradients]
        parts = [
            (torch.zeros_like(weight) if gradient is None else gradient).flatten()
            for weight, gradient in zip(self._weights, gradients, strict=True)
        ]
        parts += [tensor.flatten().float() for tensor in _statistics(network)]
        stop = float(self.stop.is_set() and self.workers.leads)
        facts = torch.tensor([*has, stop]).to(loss.device, non_blocking=True)  # a GPU may still compute the gradients
        return torch.cat([*parts, facts, loss.detach().view(1)])

    def _take(self, every: Sequence[Tensor]) -> tuple[float, bool]:
        """Give the weights the sums of the gradients of all shares, and the network the mean of their statistics.

        The sums are taken in the order of the shares.

        Returns:
            the loss of the minibatch, and whether the training is to stop.
        """
        total = every[0].clone()
        for vector in every[1:]:
            total += vector
        statistics = _statistics(self.lesson.network)
        sizes = [tensor.numel() for tensor in (*self._weights, *statistics)]
        *parts, has, stop, loss = torch.split(total, [*sizes, len(self._weights), 1, 1])
        given = has.tolist()
        for weight, gradient, shares in zip(self._weights, parts, given, strict=False):
            weight.grad = gradient.view_as(weight) if shares else None
        copies = [_statistics(network) for network in self._copies]
        with torch.no_grad():
            for place, (tensor, mean) in enumerate(zip(statistics, parts[len(self._weights) :], strict=True)):
                over_shares = (mean / len(every)).view_as(tensor)
                tensor.copy_(over_shares if tensor.is_floating_point() else over_shares.round())
                for one in copies:
                    one[place].copy_(tensor)
        return float(loss), bool(stop.item())

    @cached_property
    def _copies(self) -> list[nn.Module]:
        """The network for each share: they have the same weights, and running statistics of their own."""
        shared = {id(weight): weight for weight in self.lesson.network.parameters()}
        return [copy.deepcopy(self.lesson.network, dict(shared)).train() for _ in range(self.plan.shares)]

    @cached_property
    def _vector(self) -> Tensor:
        """A vector as that of a share."""
        tensors = [*self._weights, *_statistics(self.lesson.network)]
        size = sum(tensor.numel() for tensor in tensors) + len(self._weights) + 2
        return torch.zeros(size, device=self.lesson.device)

    def _progress(self) -> float:
        """The share of the training that is done, 0 to 1."""
        by_steps = (self.epoch + self.step / max(1, self.lesson.steps)) / self.plan.epochs
        if self.plan.seconds is None:
            return by_steps
        return max(by_steps, self.spent_seconds / max(self.plan.seconds, 1e-9))


def _rate(progress: float) -> float:
    """The share of the full learning rate: a linear warm-up, then half a cosine down to 1 %."""
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.01)
    turn = min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * turn))


def _statistics(network: nn.Module) -> list[Tensor]:
    """The running statistics of normalisation over a minibatch, which training changes beside the weights."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    return [tensor for layer in layers for tensor in layer.buffers()]


def _ema() -> Any:
    return get_ema_multi_avg_fn(_MEAN_DECAY)  # type: ignore[no-untyped-call]


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
