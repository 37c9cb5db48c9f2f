"""The loop in which weights learn: the best are kept, and stopping changes nothing but the time."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vidrnn.config import HeadConfig
from vidrnn.errors import TrainingError
from vidrnn.model.checkpoint import TrainingState, load_training, save_training
from vidrnn.nets.class_scores import Scores
from vidrnn.nets.classifier import SequenceModel, build_sequence, seed_everything
from vidrnn.train.fit import Epoch, Fit, Lesson, Plan, Validation
from vidrnn.train.loss import ClassifyLoss
from vidrnn.train.shares.minibatches import Clips, ClipSampler, Minibatch, Targets
from vidrnn.train.shares.randomness import Randomness
from vidrnn.train.shares.workers import Workers

WIDTH, FRAMES, MINIBATCH = 3, 6, 8
PLAN = Plan(epochs=6, learning_rate=0.02, weight_decay=0.01, patience=10, seed=0)
PATIENT = 1000


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("vidrnn.train.fit.time.monotonic", clock.monotonic)
    return clock


def rising_and_falling(count: int = 32) -> Clips:
    """Features that rise in one class and fall in the other: only their order tells which."""
    rng = np.random.default_rng(0)
    labels = np.arange(count, dtype=np.int64) % 2
    slope = np.linspace(-1, 1, 2 * FRAMES)[None, :, None] * np.array([1.0, -1.0, 0.5])
    noise = 0.2 * rng.standard_normal((count, 1, 2 * FRAMES, WIDTH))
    arrays = np.where(labels[:, None, None, None] == 1, slope, -slope) + noise
    return Clips(list(arrays.astype(np.float32)), labels)


def make_lesson(seed: int = 0, validate: Callable[[SequenceModel], Validation] | None = None) -> Lesson:
    """The lesson of `rising_and_falling`, with dropout, so that random numbers matter."""
    clips, draw = rising_and_falling(), ClipSampler(FRAMES, MINIBATCH, seed=seed)
    seed_everything(seed)
    network = build_sequence(WIDTH, HeadConfig(name="gru", size=8, dropout=0.2), "attention", 2)

    def validation() -> Validation:
        return validate(network) if validate else validation_of(network, clips)

    return Lesson(
        network=network,
        answer=answer,
        loss=ClassifyLoss([16, 16], 0.0),
        minibatches=lambda epoch: draw.epoch(clips, epoch),
        steps=draw.steps(clips),
        validate=validation,
    )


def answer(network: SequenceModel, share: Minibatch, randomness: Randomness) -> Scores:
    with randomness.of_layers():
        return network(share.inputs, None, share.mask)[0]


def validation_of(network: SequenceModel, clips: Clips) -> Validation:
    inputs, truth = (
        torch.from_numpy(np.stack([array[0][::2] for array in clips.arrays])),
        torch.from_numpy(clips.labels),
    )
    assert not network.training
    clip = network(inputs)[0]["clip"]
    right = float((clip.argmax(1) == truth).float().mean())
    return Validation(right, float(nn.functional.cross_entropy(clip, truth)), {"accuracy": right})


def scored(*scores: float) -> Callable[[SequenceModel], Validation]:
    """A validation with these scores, one after another, whatever the network does."""
    left = iter(scores)
    return lambda _: Validation(next(left), 1.0)


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """To the last bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def numbers(epochs: list[Epoch]) -> list[tuple[int, float, float, int]]:
    """The numbers of each epoch, without its seconds."""
    return [(epoch.number, epoch.train_loss, epoch.validation.score, epoch.best) for epoch in epochs]


def with_weights(fit: Fit) -> Iterator[tuple[Epoch, dict[str, Tensor]]]:
    """Each epoch with the weights that were validated at its end."""
    validate, validated = fit.lesson.validate, list[dict[str, Tensor]]()

    def validate_and_look() -> Validation:
        validated.append(weights(fit.lesson.network))
        return validate()

    fit.lesson.validate = validate_and_look
    for epoch in fit.run():
        yield epoch, validated[-1]


def test_it_learns_rising_from_falling() -> None:
    fit = Fit(make_lesson(), replace(PLAN, epochs=12, patience=PATIENT))
    epochs = list(fit.run())
    assert [epoch.number for epoch in epochs] == list(range(1, 13)) and {epoch.of for epoch in epochs} == {12}
    assert epochs[-1].train_loss < 0.6 * epochs[0].train_loss
    assert fit.best is not None and fit.best.score >= 0.95


def test_the_weights_of_the_best_epoch_stand_at_the_end() -> None:
    fit = Fit(make_lesson(validate=scored(0.1, 0.8, 0.5, 0.8, 0.2, 0.1)), PLAN)
    found = list(with_weights(fit))
    assert [epoch.best for epoch, _ in found] == [1, 2, 2, 2, 2, 2]
    assert same(weights(fit.lesson.network), found[1][1])
    assert not same(found[1][1], found[5][1])
    assert not fit.lesson.network.training


def test_the_last_weights_stand_at_the_end_where_the_plan_says_so() -> None:
    fit = Fit(make_lesson(validate=scored(0.1, 0.8, 0.5, 0.8, 0.2, 0.1)), replace(PLAN, patience=1, last_weights=True))
    found = list(with_weights(fit))
    assert [epoch.best for epoch, _ in found] == [1, 2, 3, 4, 5, 6]
    assert same(weights(fit.lesson.network), found[5][1]) and fit.best == Validation(0.1, 1.0)


def test_of_two_epochs_with_one_score_the_lower_loss_is_better() -> None:
    one, other = Validation(0.5, 0.7), Validation(0.5, 0.6)
    assert other.better_than(one) and not one.better_than(other)
    assert Validation(0.6, 9.0).better_than(other) and one.better_than(None)
    assert not one.better_than(one)


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 4), (PATIENT, 6)])
def test_it_ends_after_so_many_epochs_without_a_better_score(patience: int, epochs: int) -> None:
    fit = Fit(make_lesson(validate=scored(0.1, 0.2, 0.1, 0.1, 0.1, 0.1)), replace(PLAN, patience=patience))
    assert len(list(fit.run())) == epochs and fit.best_epoch == 2 and fit.finished


def stopping(fit: Fit, step: int) -> list[Any]:
    """Stop a training in this step; the list of what is answered in it."""
    steps, answer = [], fit.lesson.answer

    def answer_and_stop(*what: Any) -> object:
        steps.append(what)
        if len(steps) == step:
            fit.stop.set()
        return answer(*what)

    fit.lesson.answer = answer_and_stop
    return steps


def test_a_stop_ends_training_after_the_running_step_and_keeps_the_best() -> None:
    fit = Fit(make_lesson(validate=scored(0.1, 0.2, 0.1)), PLAN)
    steps = stopping(fit, 2 * fit.lesson.steps + 2)
    found = list(with_weights(fit))
    assert len(found) == 2 and len(steps) == 2 * fit.lesson.steps + 2
    assert same(weights(fit.lesson.network), found[1][1])


def test_a_stop_in_the_first_epoch_leaves_the_weights_that_were_learnt_by_then() -> None:
    fit = Fit(make_lesson(validate=scored(0.3)), PLAN)
    before = weights(fit.lesson.network)
    stopping(fit, 3)
    assert not list(fit.run()) and fit.best == Validation(0.3, 1.0) and fit.best_epoch == 1
    assert not same(weights(fit.lesson.network), before)


def test_a_stop_before_the_start_leaves_the_weights_as_they_were() -> None:
    fit = Fit(make_lesson(), PLAN)
    before = weights(fit.lesson.network)
    fit.stop.set()
    assert not list(fit.run()) and same(weights(fit.lesson.network), before)


@pytest.mark.parametrize("stopped_after", [1, 3, 5])
def test_a_resumed_training_ends_as_an_unbroken_one(tmp_path: Path, stopped_after: int) -> None:
    unbroken = Fit(make_lesson(), PLAN)
    expected = list(unbroken.run())

    first, before = Fit(make_lesson(), PLAN), []
    for epoch in first.run():
        before.append(epoch)
        save_training(tmp_path, first.state())
        if epoch.number == stopped_after:
            first.stop.set()
    torch.rand(17)  # whatever happened in between

    second = Fit(make_lesson(seed=0), PLAN)
    saved = load_training(tmp_path)
    assert saved is not None
    second.resume(saved)
    assert second.epoch == stopped_after and second.spent_seconds == first.spent_seconds > 0
    assert numbers([*before, *second.run()]) == numbers(expected)
    assert same(weights(second.lesson.network), weights(unbroken.lesson.network))
    assert second.best == unbroken.best and same(second.state().tensors, unbroken.state().tensors)


@dataclass
class Kept:
    """The checkpoints of a training, one after each step."""

    folder: Path
    states: list[TrainingState] = field(default_factory=list)

    def __call__(self, fit: Fit, *, now: bool = False) -> None:
        save_training(self.folder, fit.state())
        saved = load_training(self.folder)
        assert saved is not None
        self.states.append(saved)


def test_a_training_resumed_from_any_step_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    plan, kept = replace(PLAN, epochs=3, shares=3), Kept(tmp_path)
    unbroken = Fit(make_lesson(), plan)
    expected = list(unbroken.run(kept))
    assert len(kept.states) == 3 * unbroken.lesson.steps
    for place in (0, 2, 3, 6, 9):
        again = Fit(make_lesson(seed=7), plan)
        again.lesson.minibatches = make_lesson().minibatches
        again.resume(kept.states[place])
        assert (again.epoch, again.step) == divmod(place + 1, again.lesson.steps)
        to_come = numbers(expected[again.epoch :])
        assert numbers(list(again.run())) == to_come
        assert same(weights(again.lesson.network), weights(unbroken.lesson.network))
        assert same(again.state().tensors, unbroken.state().tensors)


def test_a_stopped_training_keeps_a_checkpoint_of_its_last_step(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    first = Fit(make_lesson(), PLAN)
    stopping(first, 6)
    list(first.run(kept))
    second, unbroken = Fit(make_lesson(), PLAN), Fit(make_lesson(), PLAN)
    second.resume(kept.states[-1])
    assert (second.epoch, second.step) == (1, 2)
    list(second.run())
    list(unbroken.run())
    assert same(weights(second.lesson.network), weights(unbroken.lesson.network))


class Normalised(nn.Module):
    """A network with batch normalisation and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, inputs: Tensor, mask: Tensor) -> Scores:
        normal = self.norm(inputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        steps = self.layer(nn.functional.dropout(normal, 0.3, self.training))
        return {"clip": steps.mean(1), "steps": steps}


def normalised_lesson() -> Lesson:
    lesson = make_lesson()
    seed_everything(3)
    lesson.network = Normalised()

    def answer(network: nn.Module, share: Minibatch, randomness: Randomness) -> Any:
        with randomness.of_layers():
            return network(share.inputs, share.mask)

    lesson.answer, lesson.validate = answer, None
    return lesson


def test_the_number_of_threads_does_not_change_the_weights() -> None:
    fits = [Fit(normalised_lesson(), replace(PLAN, shares=4), workers=Workers(jobs)) for jobs in (1, 2, 5)]
    losses = [[epoch.train_loss for epoch in fit.run()] for fit in fits]
    assert losses[0] == losses[1] == losses[2]
    assert same(fits[0].state().tensors, fits[1].state().tensors)
    assert same(fits[0].state().tensors, fits[2].state().tensors)


def test_each_share_is_normalised_by_itself_and_statistics_are_the_mean() -> None:
    fit = Fit(normalised_lesson(), replace(PLAN, epochs=1, shares=2))
    [drawn] = list(fit.lesson.minibatches(0))[:1]
    fit.lesson.minibatches, fit.lesson.steps = lambda epoch: [drawn], 1
    list(fit.run())
    norm = dict(fit.lesson.network.named_buffers())
    parts = drawn.read().inputs.tensor_split(2)
    expected = torch.stack([0.1 * part.flatten(0, 1).mean(0) for part in parts]).mean(0)
    torch.testing.assert_close(norm["norm.running_mean"], expected)
    assert norm["norm.num_batches_tracked"] == 1


def test_a_minibatch_of_fewer_clips_than_shares_is_learnt() -> None:
    fit = Fit(make_lesson(), replace(PLAN, epochs=1, shares=64))
    assert len(list(fit.run())) == 1


def test_shares_are_never_so_small_that_batch_normalisation_has_no_statistics() -> None:
    few, many = (Fit(normalised_lesson(), replace(PLAN, epochs=1, shares=shares)) for shares in (2, 64))
    assert [len(list(fit.run())) for fit in (few, many)] == [1, 1]
    assert same(few.state().tensors, many.state().tensors), "a minibatch of eight is two shares of four"


def test_a_training_resumed_after_its_end_has_the_best_weights_and_no_further_epoch(tmp_path: Path) -> None:
    done = Fit(make_lesson(), PLAN)
    for _ in done.run():
        save_training(tmp_path, done.state())
    again, saved = Fit(make_lesson(seed=5), PLAN), load_training(tmp_path)
    assert saved is not None
    again.resume(saved)
    assert not list(again.run())
    assert same(weights(again.lesson.network), weights(done.lesson.network))


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    fits = [Fit(make_lesson(seed), replace(PLAN, seed=seed, epochs=2)) for seed in (0, 0, 1)]
    losses = [[epoch.train_loss for epoch in fit.run()] for fit in fits]
    once, again, other = (weights(fit.lesson.network) for fit in fits)
    assert same(once, again) and losses[0] == losses[1]
    assert not same(once, other) and losses[0] != losses[2]


def members_lesson(members: Sequence[SequenceModel], network: nn.Module) -> Lesson:
    """The lesson of `rising_and_falling` for several heads, with losses so large that every gradient is bounded."""
    clips, draw, loss = rising_and_falling(), ClipSampler(FRAMES, MINIBATCH, seed=0), ClassifyLoss([16, 16], 0.0)

    def total(answers: Sequence[Scores], share: Minibatch, whole: Targets) -> Tensor:
        return 100 * torch.stack([loss(scores, share, whole) for scores in answers]).sum()

    def answers(network: nn.Module, share: Minibatch, _: Randomness) -> list[Scores]:
        of_network = network.members if isinstance(network, SequenceModel) else [network]
        return [member(share.inputs, None, share.mask)[0] for member in of_network]

    return Lesson(
        network=network,
        answer=answers,
        loss=total,
        minibatches=lambda epoch: draw.epoch(clips, epoch),
        steps=draw.steps(clips),
        validate=lambda: Validation(1.0, 1.0),
        members=members if len(members) > 1 else (),
    )


def test_heads_that_learn_side_by_side_learn_what_each_learns_alone() -> None:
    seed_everything(0)
    together = build_sequence(WIDTH, HeadConfig(name="gru", size=8), "statistics", 2, members=3)
    alone = [copy.deepcopy(member) for member in together.members]
    fit = Fit(members_lesson(together.members, together), PLAN)
    shown = [epoch.train_loss for epoch in fit.run()]
    losses = []
    for member, learnt in zip(alone, together.members, strict=True):
        single = Fit(members_lesson([member], member), PLAN)
        losses.append([epoch.train_loss for epoch in single.run()])
        for name, tensor in weights(member).items():
            torch.testing.assert_close(tensor, weights(learnt)[name])
    np.testing.assert_allclose(shown, np.mean(losses, axis=0), rtol=1e-5)


def slowed(lesson: Lesson, clock: Clock, seconds: float) -> list[float]:
    """Let each step of a lesson take so many seconds of a clock, and list the times at which steps were done."""
    answer, steps = lesson.answer, list[float]()

    def slow(*what: Any) -> object:
        clock.now += seconds
        steps.append(clock.now)
        return answer(*what)

    lesson.answer = slow
    return steps


def test_a_budget_of_seconds_ends_training_inside_an_epoch_once_one_is_done(clock: Clock) -> None:
    lesson = make_lesson()
    steps = slowed(lesson, clock, 1.0)
    plan = replace(PLAN, epochs=1_000_000, patience=PATIENT, seconds=10.5)
    epochs = list(Fit(lesson, plan).run())
    assert lesson.steps == 4 and len(steps) == 11
    assert [epoch.seconds for epoch in epochs] == [4.0, 4.0, 3.0]


def test_the_first_epoch_is_whole_however_little_time_there_is(clock: Clock) -> None:
    lesson = make_lesson()
    steps = slowed(lesson, clock, 100.0)
    epochs = list(Fit(lesson, replace(PLAN, seconds=0.5)).run())
    assert [epoch.number for epoch in epochs] == [1] and len(steps) == lesson.steps


def test_a_resumed_training_has_the_time_that_it_was_given_first(clock: Clock) -> None:
    lesson, plan = make_lesson(), replace(PLAN, epochs=1_000_000, patience=PATIENT, seconds=10.5)
    steps = slowed(lesson, clock, 1.0)
    first = Fit(lesson, plan)
    next(first.run())
    second = Fit(lesson, replace(plan, seconds=5.0))  # less is left of the run now
    second.resume(first.state())
    list(second.run())
    assert len(steps) == 11


def test_with_a_budget_the_learning_rate_falls_with_the_clock(clock: Clock) -> None:
    lesson = make_lesson()
    fit = Fit(lesson, replace(PLAN, epochs=1_000_000, patience=PATIENT, seconds=20.0))
    answer = lesson.answer

    def slow(*what: Any) -> object:
        clock.now += 1.0
        return answer(*what)

    lesson.answer = slow
    rates = [fit._optimiser.param_groups[0]["lr"] for _ in fit.run()]
    assert rates == sorted(rates, reverse=True) and rates[0] > 0.9 * PLAN.learning_rate
    assert rates[-1] < 0.05 * PLAN.learning_rate


def test_the_learning_rate_warms_up_and_falls_to_almost_nothing() -> None:
    lesson = make_lesson()
    fit, rates = Fit(lesson, replace(PLAN, epochs=10)), []
    answer = lesson.answer

    def watched(*what: Any) -> object:
        rates.append(fit._optimiser.param_groups[0]["lr"] / PLAN.learning_rate)
        return answer(*what)

    lesson.answer = watched
    list(fit.run())
    top = int(np.argmax(rates))
    assert len(rates) == 40 and top == 4 and rates[top] == pytest.approx(1.0, abs=0.01)
    assert rates[0] < 0.05 and rates[:5] == sorted(rates[:5]) and rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] < 0.02


def test_only_matrices_have_weight_decay() -> None:
    fit = Fit(make_lesson(), PLAN)
    matrices, vectors = fit._optimiser.param_groups
    assert matrices["weight_decay"] == PLAN.weight_decay and vectors["weight_decay"] == 0
    assert all(weight.ndim > 1 for weight in matrices["params"])
    assert all(weight.ndim <= 1 for weight in vectors["params"])


def test_frozen_weights_stay_as_they_are() -> None:
    lesson = make_lesson()
    frozen = dict(lesson.network.named_parameters())["head.inlet.projection.0.weight"].requires_grad_(False)
    before = frozen.clone()
    list(Fit(lesson, replace(PLAN, epochs=1)).run())
    assert torch.equal(frozen, before)


def test_one_wild_minibatch_cannot_throw_the_weights_far() -> None:
    lesson = make_lesson()
    loss = lesson.loss
    lesson.loss = lambda *what: 1e6 * loss(*what)
    seen: list[float] = []
    clip = nn.utils.clip_grad_norm_
    fit = Fit(lesson, replace(PLAN, epochs=1))
    step = fit._optimiser.step

    def watched() -> None:
        seen.append(float(clip(lesson.network.parameters(), math.inf)))
        step()

    fit._optimiser.step = watched  # type: ignore[method-assign]
    list(fit.run())
    assert seen and max(seen) <= 1.001


# --- numbers that are not finite -------------------------------------------------------------------------------------


def spoil_after(lesson: Lesson, good_steps: int, value: float = math.nan) -> Lesson:
    """The lesson with a loss that is `value` after some steps."""
    loss, taken = lesson.loss, []

    def spoilt(answer: Scores, target: Tensor, mask: Tensor) -> Tensor:
        taken.append(1)
        return loss(answer, target, mask) * (1.0 if len(taken) <= good_steps else value)

    return replace(lesson, loss=spoilt)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_training_that_diverges_keeps_its_last_good_weights(value: float) -> None:
    lesson = make_lesson()
    fit = Fit(spoil_after(lesson, 2 * lesson.steps + 1, value), PLAN)
    epochs = list(fit.run())
    plain = Fit(make_lesson(), replace(PLAN))
    expected = [copy.deepcopy(plain.state().tensors) for _ in zip(range(2), plain.run(), strict=False)]
    assert len(epochs) == 2 and fit.diverged and "epoch 3" in fit.remark and "--learning-rate 0.001" in fit.remark
    best = {name.removeprefix("best."): one for name, one in expected[-1].items() if name.startswith("best.")}
    assert same(weights(fit.lesson.network), best)


def test_a_training_that_diverges_at_once_is_a_sentence_that_says_what_to_do() -> None:
    fit = Fit(spoil_after(make_lesson(), 0), PLAN)
    with pytest.raises(TrainingError, match=r"epoch 1, so there is no model.*--learning-rate 0\.001"):
        list(fit.run())
    assert all(bool(tensor.isfinite().all()) for tensor in weights(fit.lesson.network).values())


@pytest.mark.parametrize("rate", [1e30, 1e38, math.inf])
def test_an_absurd_learning_rate_gives_no_model(rate: float) -> None:
    with pytest.raises(TrainingError):
        list(Fit(make_lesson(), replace(PLAN, learning_rate=rate)).run())


def test_a_validation_without_a_finite_loss_is_never_the_best() -> None:
    losses = iter([0.5, math.nan])
    fit = Fit(make_lesson(validate=lambda _: Validation(0.9, next(losses))), PLAN)
    assert [epoch.number for epoch in fit.run()] == [1]
    assert fit.best_epoch == 1 and fit.diverged


def test_weights_that_were_found_without_steps_must_be_finite() -> None:
    lesson = make_lesson()
    with torch.no_grad():
        next(iter(lesson.network.parameters())).fill_(math.nan)
    lesson = replace(lesson, validate=None)
    with pytest.raises(TrainingError, match="not finite"):
        Fit(lesson, PLAN).accept()
