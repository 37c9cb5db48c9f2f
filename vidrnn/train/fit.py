"""Weights learn: one loop for every task. Knows minibatches and scores, not films; yields an event per epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vidrnn.errors import TrainingError
from vidrnn.model.checkpoint import TrainingState, all_finite
from vidrnn.nets.classifier import seed_everything
from vidrnn.train.minibatches import Minibatch

_WARM_UP = 0.1
"""The share of training in which the learning rate rises from nothing."""
_LARGEST_GRADIENT = 1.0
_SAFE_RATE = 0.001
"""Few trainings diverge at this learning rate."""
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
    seconds: float | None = None
    """A time limit; the learning rate then falls with the clock, not with the steps."""


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


@dataclass
class Lesson:
    """A network with its answers, its loss, its minibatches and its validation."""

    network: nn.Module
    answer: Callable[[Minibatch], Any]
    loss: Callable[[Any, Tensor, Tensor], Tensor]
    """An answer, its target and its mask -> a scalar."""
    minibatches: Callable[[int], Iterable[Minibatch]]
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


@dataclass
class Fit:
    """One training. It can be stopped after any epoch and resumed with the same result."""

    lesson: Lesson
    plan: Plan
    stop: Event = field(default_factory=Event)
    """Set from outside to end the running epoch cleanly."""
    epoch: int = 0
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
        self._mean = AveragedModel(self.lesson.network, multi_avg_fn=_ema(), use_buffers=True)
        self._best_weights = _copy(self.lesson.network)

    def run(self) -> Iterator[Epoch]:
        """Train until the plan, patience, time or `stop` ends it; then the network has its best weights.

        A loss or a weight that is not finite ends it too: no further step can repair such weights.

        Raises:
            TrainingError: that happened before there were any good weights.
        """
        while not self.finished:
            epoch = self._one_epoch()
            if epoch is not None:
                yield epoch
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
        ended = self.diverged or self.stop.is_set()
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
            "best_epoch": self.best_epoch,
            "spent_seconds": self.spent_seconds,
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
        self.spent_seconds = facts["spent_seconds"]
        self.best = Validation(**facts["best"]) if "best" in facts else None

    def _one_epoch(self) -> Epoch | None:
        """Train for one epoch and validate; None if the training diverged in it."""
        started, before = time.monotonic(), self.spent_seconds
        seed_everything(self.plan.seed, self.epoch)
        self.lesson.network.train()
        total, steps = 0.0, 0
        for minibatch in self.lesson.minibatches(self.epoch):
            loss = self._step(minibatch, self._progress(steps))
            if not math.isfinite(loss):
                self.diverged = True
                return None
            total += loss
            steps += 1
            self.spent_seconds = before + time.monotonic() - started
            if self.plan.seconds is not None and self.spent_seconds >= self.plan.seconds and self.best:
                break
        validation = self._validate(self.epoch + 1)
        if self.diverged:
            return None
        self.epoch += 1
        elapsed = time.monotonic() - started
        self.spent_seconds = before + elapsed
        return Epoch(self.epoch, self.plan.epochs, total / max(1, steps), validation, self.best_epoch, elapsed)

    def _validate(self, number: int) -> Validation:
        """Validate the mean weights after the epoch of that number; store them if they are the best so far."""
        network, now = self.lesson.network, _copy(self.lesson.network)
        network.load_state_dict(self._mean.module.state_dict())
        network.eval()
        validation = Validation(0.0, math.nan)
        if all_finite(network.state_dict()):
            with torch.inference_mode():
                validation = Validation(0.0, 0.0) if self.lesson.validate is None else self.lesson.validate()
        self.diverged = not validation.finite
        if not self.diverged and (self.lesson.validate is None or validation.better_than(self.best)):
            self.best, self.best_epoch, self._best_weights = validation, number, _copy(network)
        network.load_state_dict(now)
        return validation

    def _step(self, minibatch: Minibatch, progress: float) -> float:
        for group in self._optimiser.param_groups:
            group["lr"] = self.plan.learning_rate * _rate(progress)
        self.lesson.advance(progress)
        loss = self.lesson.loss(self.lesson.answer(minibatch), minibatch.target, minibatch.mask)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for weights in self._bounded:
            nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)
        self._optimiser.step()
        self._mean.update_parameters(self.lesson.network)
        return loss.item() / max(1, len(self.lesson.members))

    def _progress(self, steps: int) -> float:
        """The share of the training that is done, 0 to 1."""
        by_steps = (self.epoch + steps / max(1, self.lesson.steps)) / self.plan.epochs
        if self.plan.seconds is None:
            return by_steps
        return max(by_steps, self.spent_seconds / max(self.plan.seconds, 1e-9))


def half_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 for an encoder in training, if the device multiplies in it."""
    if device.type == "cuda" or has_bfloat16():
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _rate(progress: float) -> float:
    """The share of the full learning rate: a linear warm-up, then half a cosine down to 1 %."""
    if progress < _WARM_UP:
        return max(progress / _WARM_UP, 0.01)
    turn = min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * turn))


def _ema() -> Any:
    return get_ema_multi_avg_fn(_MEAN_DECAY)  # type: ignore[no-untyped-call]


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _part(tensors: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
