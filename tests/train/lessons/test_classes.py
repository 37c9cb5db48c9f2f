"""The loss of a classifier: the share of the steps, the weights of the classes and label smoothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidrnn.nets.class_scores import Scores
from vidrnn.train.lessons.classes import ClassifyLoss


def scores_of(clip: list[float], steps: list[list[float]]) -> Scores:
    return Scores(torch.tensor([clip]), torch.tensor([steps]))


def test_the_loss_is_the_clips_and_half_of_its_real_steps() -> None:
    scores = scores_of([2.0, 0.0], [[1.0, 0.0], [0.0, 1.0], [99.0, -99.0]])
    loss = ClassifyLoss([5, 5], 0.0)(scores, torch.tensor([1]), torch.tensor([[True, True, False]]))
    entropy = nn.functional.cross_entropy
    of_clip = entropy(scores.clip, torch.tensor([1]))
    of_steps = entropy(scores.steps[0, :2], torch.tensor([1, 1]))
    torch.testing.assert_close(loss, of_clip + 0.5 * of_steps)


@pytest.mark.parametrize(
    ("counts", "weighted"), [([3, 1], False), ([10, 3], True), ([10, 10], False), ([10, 0], False)], ids=str
)
def test_classes_are_weighted_where_one_has_over_three_times_the_clips_of_another(
    counts: list[int], weighted: bool
) -> None:
    scores = Scores(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.zeros(2, 1, 2))
    truth, mask = torch.tensor([0, 1]), torch.ones(2, 1, dtype=torch.bool)
    plain = ClassifyLoss([1, 1], 0.0)(scores, truth, mask)
    loss = ClassifyLoss(counts, 0.0)(scores, truth, mask)
    assert (loss > plain + 1e-3) == weighted, "a mistake in the rare class costs more"


def test_smoothing_makes_certainty_cost_something() -> None:
    scores, truth = scores_of([30.0, 0.0], [[30.0, 0.0]]), torch.tensor([0])
    mask = torch.ones(1, 1, dtype=torch.bool)
    assert ClassifyLoss([1, 1], 0.0)(scores, truth, mask) < 1e-6
    assert ClassifyLoss([1, 1], 0.1)(scores, truth, mask) > 1
