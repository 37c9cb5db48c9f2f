"""What heads are for, on features made to measure: telling which came first, and remembering the first frame.

Every frame shows one thing among noise. A head without recurrence sees the same set of frames whatever their order, so
it must stay at chance; the heads with memory must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import SequenceModel, build_sequence, seed_everything
from vidrnn.nets.heads import HEADS
from vidrnn.train.fit import Fit, Lesson, Plan, Validation
from vidrnn.train.loss import ClassifyLoss
from vidrnn.train.shares.minibatches import Drawn, Window

WIDTH, MINIBATCH, STEPS, HELD_OUT = 8, 32, 20, 512
PLAN = Plan(epochs=16, learning_rate=5e-3, weight_decay=0.01, patience=100, seed=0)
SHORTER = replace(PLAN, epochs=8)
"""For what cannot be learnt: twice as long as the others take."""
LEARNT = 0.995
"""Validation accuracy at which there is no more to learn."""

Clips = tuple[Tensor, Tensor]
"""Features (clips, time, width) and their classes (clips,)."""
Make = Callable[[int, torch.Generator], Clips]


def which_came_first(count: int, random: torch.Generator, time: int = 48) -> Clips:
    """Two events, things 0 and 1, at random places among frames that show thing 2; the class is the first event's."""
    first = torch.randint(2, (count,), generator=random)
    places = torch.rand(count, time, generator=random).argsort(1)[:, :2].sort(1).values
    things = torch.full((count, time), 2).scatter_(1, places, torch.stack([first, 1 - first], 1))
    return seen(things, random), first


def what_was_first(count: int, random: torch.Generator, time: int = 100) -> Clips:
    """One of four things in every frame; the class is that of frame 0, and all later frames are there to mislead."""
    things = torch.randint(4, (count, time), generator=random)
    return seen(things, random), things[:, 0]


def seen(things: Tensor, random: torch.Generator) -> Tensor:
    """Features of frames that show `things`, among noise."""
    noise = torch.randn(*things.shape, WIDTH, generator=random)
    return 3 * nn.functional.one_hot(things, WIDTH) + 0.5 * noise


def draws(make: Make, seed: int, steps: int) -> Iterator[Drawn]:
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        inputs, target = make(MINIBATCH, random)
        pairs = zip(inputs.numpy(), target.numpy(), strict=True)
        yield Drawn([Window(clip, slice(None), truth, len(clip)) for clip, truth in pairs], inputs.shape[1])


def accuracy(network: SequenceModel, clips: Clips) -> tuple[float, float]:
    """Share of right answers, and the loss."""
    inputs, target = clips
    with torch.inference_mode():
        scores = network.eval()(inputs)[0]["clip"]
    right = (scores.argmax(1) == target).float().mean()
    return float(right), float(nn.functional.cross_entropy(scores, target))


def learn(make: Make, head: HeadConfig, classes: int, plan: Plan = PLAN) -> float:
    """Train by vidrnn's own loop on ever new clips until they are learnt; the accuracy on clips not seen before."""
    seed_everything(plan.seed)
    network = build_sequence(WIDTH, head, "attention", classes)
    validation, test = (make(HELD_OUT, torch.Generator().manual_seed(seed)) for seed in (10_001, 10_002))
    lesson = Lesson(
        network=network,
        answer=lambda network, share, _: network(share.inputs, None, share.mask)[0],
        loss=ClassifyLoss([1] * classes, 0.0),
        minibatches=lambda epoch: draws(make, epoch, STEPS),
        steps=STEPS,
        validate=lambda: Validation(*accuracy(network, validation)),
    )
    fit = Fit(lesson, plan)
    for epoch in fit.run():
        if epoch.validation.score >= LEARNT:
            fit.stop.set()
    return accuracy(network, test)[0]


@pytest.mark.parametrize("name", sorted(set(HEADS) - {"none", "linear"}))
def test_every_recurrent_head_tells_which_of_two_events_came_first(name: str) -> None:
    assert learn(which_came_first, HeadConfig(name=name, size=32), 2) >= 0.98


def test_without_recurrence_nothing_tells_which_of_two_events_came_first() -> None:
    assert learn(which_came_first, HeadConfig(name="none", size=32), 2, SHORTER) <= 0.55


def test_the_default_head_recalls_the_first_of_a_hundred_frames() -> None:
    assert learn(what_was_first, HeadConfig(), 4) >= 0.98


def test_without_recurrence_attention_alone_does_not_know_which_frame_was_first() -> None:
    assert learn(what_was_first, HeadConfig(name="none", size=32), 4, SHORTER) <= 0.35
