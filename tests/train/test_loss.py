"""The loss of a classifier: the share of the steps, the weights of the classes, label smoothing, unknown truth."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidrnn.nets.class_scores import Scores
from vidrnn.train.loss import ClassifyLoss


def scores_of(clip: list[float], steps: list[list[float]]) -> Scores:
    return {"clip": torch.tensor([clip]), "steps": torch.tensor([steps])}


def test_the_loss_is_the_clips_and_half_of_its_real_steps() -> None:
    scores = scores_of([2.0, 0.0], [[1.0, 0.0], [0.0, 1.0], [99.0, -99.0]])
    loss = ClassifyLoss([5, 5], 0.0)(scores, torch.tensor([1]), torch.tensor([[True, True, False]]))
    entropy = nn.functional.cross_entropy
    of_clip = entropy(scores["clip"], torch.tensor([1]))
    of_steps = entropy(scores["steps"][0, :2], torch.tensor([1, 1]))
    torch.testing.assert_close(loss, of_clip + 0.5 * of_steps)


@pytest.mark.parametrize(
    ("counts", "weighted"), [([3, 1], False), ([10, 3], True), ([10, 10], False), ([10, 0], False)], ids=str
)
def test_classes_are_weighted_where_one_has_over_three_times_the_clips_of_another(
    counts: list[int], weighted: bool
) -> None:
    scores: Scores = {"clip": torch.tensor([[1.0, 0.0], [1.0, 0.0]]), "steps": torch.zeros(2, 1, 2)}
    truth, mask = torch.tensor([0, 1]), torch.ones(2, 1, dtype=torch.bool)
    plain = ClassifyLoss([1, 1], 0.0)(scores, truth, mask)
    loss = ClassifyLoss(counts, 0.0)(scores, truth, mask)
    assert (loss > plain + 1e-3) == weighted, "a mistake in the rare class costs more"


def test_label_smoothing_gives_certainty_a_loss() -> None:
    scores, truth = scores_of([30.0, 0.0], [[30.0, 0.0]]), torch.tensor([0])
    mask = torch.ones(1, 1, dtype=torch.bool)
    assert ClassifyLoss([1, 1], 0.0)(scores, truth, mask) < 1e-6
    assert ClassifyLoss([1, 1], 0.1)(scores, truth, mask) > 1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_unknown_class_counts_in_no_loss(smoothing: float) -> None:
    random = torch.Generator().manual_seed(0)
    clip, steps = torch.randn(4, 3, generator=random), torch.randn(4, 2, 3, generator=random)
    truth, mask = torch.tensor([0, -1, 2, -1]), torch.ones(4, 2, dtype=torch.bool)
    loss = ClassifyLoss([9, 1, 9], smoothing)
    of_all, of_known = (
        loss({"clip": clip[rows], "steps": steps[rows]}, truth[rows], mask[rows]) for rows in ([0, 1, 2, 3], [0, 2])
    )
    torch.testing.assert_close(of_all, of_known)


def test_a_minibatch_of_unknown_classes_has_no_loss_and_no_gradient() -> None:
    clip, steps = torch.ones(2, 3, requires_grad=True), torch.ones(2, 4, 3, requires_grad=True)
    loss = ClassifyLoss([1, 1, 1], 0.1)(
        {"clip": clip, "steps": steps}, torch.tensor([-1, -1]), torch.ones(2, 4, dtype=torch.bool)
    )
    loss.backward()
    assert loss == 0 and clip.grad is not None and not clip.grad.any() and not steps.grad.any()
