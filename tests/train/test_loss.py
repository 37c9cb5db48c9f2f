"""The losses of clips and of labels at each step: weights of classes, soft boundaries, jumps, unknown truth."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vidrnn.nets.class_scores import Scores
from vidrnn.train.loss import ClassifyLoss, LabelLoss
from vidrnn.train.shares.minibatches import Minibatch, Targets


def share(target: Tensor, mask: Tensor) -> Minibatch:
    """Windows of this truth, whose frames nobody looks at."""
    return Minibatch(torch.zeros(*mask.shape, 1), mask, target)


def scores_of(clip: list[float], steps: list[list[float]]) -> Scores:
    return {"clip": torch.tensor([clip]), "steps": torch.tensor([steps])}


def test_the_loss_is_the_clips_and_half_of_its_real_steps() -> None:
    scores = scores_of([2.0, 0.0], [[1.0, 0.0], [0.0, 1.0], [99.0, -99.0]])
    loss = ClassifyLoss([5, 5], 0.0)(scores, share(torch.tensor([1]), torch.tensor([[True, True, False]])))
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
    plain = ClassifyLoss([1, 1], 0.0)(scores, share(truth, mask))
    loss = ClassifyLoss(counts, 0.0)(scores, share(truth, mask))
    assert (loss > plain + 1e-3) == weighted, "a mistake in the rare class costs more"


def test_label_smoothing_gives_certainty_a_loss() -> None:
    scores, truth = scores_of([30.0, 0.0], [[30.0, 0.0]]), torch.tensor([0])
    mask = torch.ones(1, 1, dtype=torch.bool)
    assert ClassifyLoss([1, 1], 0.0)(scores, share(truth, mask)) < 1e-6
    assert ClassifyLoss([1, 1], 0.1)(scores, share(truth, mask)) > 1


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_an_unknown_class_counts_in_no_loss(smoothing: float) -> None:
    random = torch.Generator().manual_seed(0)
    clip, steps = torch.randn(4, 3, generator=random), torch.randn(4, 2, 3, generator=random)
    truth, mask = torch.tensor([0, -1, 2, -1]), torch.ones(4, 2, dtype=torch.bool)
    loss = ClassifyLoss([9, 1, 9], smoothing)
    of_all, of_known = (
        loss({"clip": clip[rows], "steps": steps[rows]}, share(truth[rows], mask[rows]))
        for rows in ([0, 1, 2, 3], [0, 2])
    )
    torch.testing.assert_close(of_all, of_known)


def test_a_minibatch_of_unknown_classes_has_no_loss_and_no_gradient() -> None:
    clip, steps = torch.ones(2, 3, requires_grad=True), torch.ones(2, 4, 3, requires_grad=True)
    loss = ClassifyLoss([1, 1, 1], 0.1)(
        {"clip": clip, "steps": steps}, share(torch.tensor([-1, -1]), torch.ones(2, 4, dtype=torch.bool))
    )
    loss.backward()
    assert loss == 0 and clip.grad is not None and not clip.grad.any() and not steps.grad.any()


def label_loss(*counts: float, several: bool = False, **how: Any) -> LabelLoss:
    total = how.pop("total", sum(counts))
    return LabelLoss(counts, several=several, total=total, **{"soft_steps": 0, "smoothing": 0.0, **how})


def random_steps(rows: int = 3, time: int = 12, classes: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(rows, time, classes, generator=torch.Generator().manual_seed(seed))


def random_truth(kind: str, rows: int = 3, time: int = 12, classes: int = 3) -> Tensor:
    """Runs of classes, or of several at once, some of which are not known."""
    random = torch.Generator().manual_seed(1)
    runs = torch.randint(-1, classes, (rows, time // 3), generator=random).repeat_interleave(3, 1)
    if kind == "one":
        return runs
    truth = torch.randint(0, 2, (rows, time // 3, classes), generator=random).repeat_interleave(3, 1).double()
    truth[runs < 0] = torch.nan
    truth[0, 3:6, 1] = torch.nan  # of one behaviour only
    return truth


def loss_and_gradient(loss: LabelLoss, steps: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    steps = steps.clone().requires_grad_()
    value = loss({"steps": steps}, share(target, mask))
    value.backward()
    assert steps.grad is not None
    return value.detach(), steps.grad


LOSSES = {"one": "focal", "several": "asymmetric"}


@pytest.mark.parametrize(
    "how", [{}, {"smoothing": 0.1}, {"soft_steps": 2}, {"soft_steps": 2, "smoothing": 0.1}, {"loss": "hard"}], ids=str
)
@pytest.mark.parametrize("kind", ["one", "several"])
def test_scores_and_truth_of_unknown_and_padded_steps_change_neither_loss_nor_gradient(
    kind: str, how: dict[str, Any]
) -> None:
    how = {**how, "loss": LOSSES[kind]} if "loss" in how else how
    loss = label_loss(30, 9, 2, several=kind == "several", total=41, **how)
    steps, target = random_steps(), random_truth(kind)
    mask = torch.arange(12).expand(3, 12) < torch.tensor([[12], [9], [5]])
    known = (target >= 0) & mask if kind == "one" else ~target.isnan() & mask.unsqueeze(-1)
    value, gradient = loss_and_gradient(loss, steps, target, mask)
    assert value > 0 and not gradient[~known].any() and gradient[known].any()

    other = target.clone()
    other[~mask] = 1
    scores = torch.where(known if kind == "several" else known.unsqueeze(-1), steps, 50 * random_steps(seed=5))
    for changed in ((scores, target), (steps, other), (scores, other)):
        again, gradient_again = loss_and_gradient(loss, *changed, mask)
        torch.testing.assert_close(again, value)
        torch.testing.assert_close(gradient_again[known], gradient[known])


@pytest.mark.parametrize("kind", ["one", "several"])
def test_a_minibatch_of_unknown_steps_has_no_loss_and_no_gradient(kind: str) -> None:
    target = torch.full((2, 4), -1) if kind == "one" else torch.full((2, 4, 3), torch.nan)
    value, gradient = loss_and_gradient(
        label_loss(5, 5, 5, several=kind == "several", soft_steps=1, smoothing=0.1),
        random_steps(2, 4),
        target,
        torch.ones(2, 4, dtype=torch.bool),
    )
    assert value == 0 and not gradient.any()


@pytest.mark.parametrize("kind", ["one", "several"])
def test_padding_a_minibatch_changes_nothing(kind: str) -> None:
    loss = label_loss(30, 9, 2, several=kind == "several", total=41, soft_steps=2)
    steps, target = random_steps(), random_truth(kind)
    plain = loss({"steps": steps}, share(target, torch.ones(3, 12, dtype=torch.bool)))
    longer = torch.cat([steps, 9 * random_steps(seed=2)], 1)
    unknown = torch.full_like(target, -1 if kind == "one" else torch.nan)
    mask = torch.arange(24).expand(3, 24) < 12
    torch.testing.assert_close(loss({"steps": longer}, share(torch.cat([target, unknown], 1), mask)), plain)


def test_without_soft_targets_and_jumps_it_is_the_cross_entropy_weighted_by_rarity() -> None:
    steps, target = random_steps(4, 1), torch.tensor([[0], [1], [2], [-1]])
    loss = label_loss(40, 10, 10)({"steps": steps}, share(target, torch.ones(4, 1, dtype=torch.bool)))
    weights = (torch.tensor([20 / 40, 2.0, 2.0])) ** 0.5
    shifted = steps[:3, 0] + 0.5 * weights.log()
    torch.testing.assert_close(loss, nn.functional.cross_entropy(shifted, target[:3, 0], weights))


@pytest.mark.parametrize(("several", "shares"), [(False, [0.84, 0.16]), (True, [0.84, 0.16])])
def test_scores_stay_near_true_probabilities_though_rare_classes_weigh_more(several: bool, shares: list[float]) -> None:
    """Of classes that exclude each other the rare one, of a tenth, keeps half of the weight that would give it 0.25."""
    often, rarely = 90, 10
    loss = label_loss(often, rarely, several=several, total=often + rarely)
    target = torch.tensor([[0] * often + [1] * rarely])
    truth = nn.functional.one_hot(target, 2).float() if several else target
    score = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.Adam([score], 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        value = loss({"steps": score.expand(1, 100, 2)}, share(truth, torch.ones(1, 100, dtype=torch.bool)))
        value.backward()
        optimizer.step()
    found = score.sigmoid() if several else score.softmax(0)
    assert found.tolist() == pytest.approx(shares, abs=0.01)


def test_rare_classes_weigh_more_and_at_most_twenty_times() -> None:
    weights = label_loss(1_000_000, 50_000, 1).weights
    assert weights[0] < 1 < weights[1] < weights[2] == 20
    several = label_loss(900, 100, 0.5, several=True, total=1_000_000).weights
    assert several[0] == pytest.approx(((1e6 - 900) / 900) ** 0.5, abs=20) and several.max() == 20
    often = label_loss(800, 200, several=True, total=1000).weights
    assert often.tolist() == pytest.approx([0.5, 2.0])


def test_a_behaviour_that_no_training_step_shows_is_not_taught_by_label_smoothing() -> None:
    steps, target = random_steps(2, 6), torch.zeros(2, 6, dtype=torch.int64)
    target[:, 3:] = 1
    mask = torch.ones(2, 6, dtype=torch.bool)
    _, gradient = loss_and_gradient(label_loss(5000, 5000, 0, smoothing=0.1), steps, target, mask)
    assert (gradient[..., 2] > 0).all(), "its score goes down only"


@pytest.mark.parametrize("several", [False, True])
def test_label_smoothing_makes_no_answer_certain(several: bool) -> None:
    """Of two classes that hold equally often, the probabilities that cost least after a tenth is smoothed."""
    loss = label_loss(8, 8, several=several, total=16, smoothing=0.1)
    target = torch.tensor([[0] * 8 + [1] * 8])
    truth = nn.functional.one_hot(target, 2).double() if several else target
    shares = torch.tensor([[[0.95, 0.05]] * 8 + [[0.05, 0.95]] * 8])
    steps = shares.logit() if several else shares.log()
    mask = torch.ones(1, 16, dtype=torch.bool)
    _, gradient = loss_and_gradient(loss, steps, truth, mask)
    assert gradient[:, 1:8].abs().max() < 1e-6


def test_label_smoothing_keeps_how_often_a_rare_behaviour_is_expected() -> None:
    """A behaviour of a hundredth of the steps: at its own frequency, the sum of all gradients is 0 with it too."""
    target = torch.zeros(1, 100, 2)
    target[0, :50, 0], target[0, 0, 1] = 1, 1
    steps = torch.tensor([0.5, 0.01]).logit().expand(1, 100, 2)
    loss = label_loss(50, 1, several=True, total=100, smoothing=0.3)
    loss.weights.fill_(1.0)
    loss.shift.fill_(0.0)
    _, gradient = loss_and_gradient(loss, steps, target, torch.ones(1, 100, dtype=torch.bool))
    assert gradient.sum((0, 1)).abs().max() < 1e-6


@pytest.mark.parametrize("kind", ["one", "several"])
def test_targets_are_soft_near_boundaries_only(kind: str) -> None:
    """At each step the score that costs least is the soft target; it is read off the gradient at scores of 0."""
    hard = torch.tensor([[0] * 8 + [1] * 8])
    several = nn.functional.one_hot(hard, 2).double()
    loss = label_loss(8, 8, several=kind == "several", total=16, soft_steps=2)
    mask = torch.ones(1, 16, dtype=torch.bool)
    _, gradient = loss_and_gradient(loss, torch.zeros(1, 16, 2), several if kind == "several" else hard, mask)
    scale = 32 if kind == "several" else 16
    shown = (0.5 - scale * gradient[0, :, 1]).tolist()
    assert shown[:6] == pytest.approx([0.0] * 6, abs=1e-5) and shown[10:] == pytest.approx([1.0] * 6, abs=1e-5)
    assert shown[6:10] == pytest.approx([1 / 9, 3 / 9, 6 / 9, 8 / 9], abs=1e-5)


def test_a_boundary_to_what_is_not_known_is_hard() -> None:
    target = torch.tensor([[0] * 5 + [-1] * 5 + [1] * 5])
    loss = label_loss(5, 5, soft_steps=2)
    _, gradient = loss_and_gradient(loss, torch.zeros(1, 15, 2), target, torch.ones(1, 15, dtype=torch.bool))
    assert gradient[0, :5, 0].tolist() == pytest.approx([-0.05] * 5) == gradient[0, 10:, 1].tolist()


def test_jumps_from_step_to_step_cost_where_one_class_holds() -> None:
    mask, target = torch.ones(1, 8, dtype=torch.bool), torch.zeros(1, 8, dtype=torch.int64)
    level = torch.tensor([[1.0, 0.0]]).repeat(8, 1)[None]
    spread = torch.tensor([2.0, 0.0]).repeat(4)[None, :, None] * torch.tensor([1.0, 0.0])
    loss, entropy = label_loss(8, 8), nn.functional.cross_entropy
    torch.testing.assert_close(loss({"steps": level}, share(target, mask)), entropy(level[0], target[0]))
    extra = loss({"steps": spread}, share(target, mask)) - entropy(spread[0], target[0])
    assert extra > 0.1
    far = 100 * spread
    bounded = loss({"steps": far}, share(target, mask)) - entropy(far[0], target[0])
    assert extra < bounded <= 0.15 * 16 + 1e-4, "a jump costs no more than it does at 4"


@pytest.mark.parametrize("kind", ["one", "several"])
def test_focal_and_asymmetric_losses_turn_to_steps_that_are_answered_wrong(kind: str) -> None:
    """Of two steps, one answered right and one wrong, the wrong one gets a larger share of the gradient."""
    several = kind == "several"
    target = torch.tensor([[0, 0]])
    truth = nn.functional.one_hot(target, 2).float() if several else target
    steps = torch.tensor([[[2.0, -2.0], [-2.0, 2.0]]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    plain, hard = (
        loss_and_gradient(label_loss(5, 5, several=several, total=10, loss=name), steps, truth, mask)[1].abs()
        for name in ("cross-entropy", LOSSES[kind])
    )
    assert (hard[0, 0] / hard[0, 1] < 0.5 * plain[0, 0] / plain[0, 1]).all()


def test_the_asymmetric_loss_is_that_of_its_authors() -> None:
    """Hand-worked: a probability of 0.8 where the behaviour shows, of 0.5 where it does not, of 0.04 where neither."""
    steps = torch.tensor([0.8, 0.5, 0.04]).logit().view(1, 3, 1)
    truth = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1)
    loss = label_loss(1, several=True, total=3, loss="asymmetric")
    value = loss({"steps": steps}, share(truth, torch.ones(1, 3, dtype=torch.bool)))
    expected = [-0.2 * math.log(0.8), -(0.45**4) * math.log(0.55), 0.0]
    assert float(value) == pytest.approx(sum(expected) / 3, rel=1e-5)


@pytest.mark.parametrize("kind", ["clips", "one", "several", "focal", "asymmetric"])
def test_the_losses_of_shares_and_their_gradients_add_up_to_those_of_the_whole(kind: str) -> None:
    """Also where the shares know different numbers of clips and steps, and one of them nothing."""
    steps, clip = random_steps(), random_steps()[:, 0]
    mask = torch.arange(12).expand(3, 12) < torch.tensor([[12], [7], [3]])
    if kind == "clips":
        loss, target = ClassifyLoss([9, 1, 2], 0.1), torch.tensor([1, 0, -1])
    else:
        several, how = kind in ("several", "asymmetric"), {"loss": kind} if kind in LOSSES.values() else {}
        loss = label_loss(30, 9, 2, several=several, total=41, soft_steps=2, smoothing=0.1, **how)
        target = random_truth("several" if several else "one")
        target[2] = torch.nan if several else -1
    of_parts = []
    for parts in ([slice(0, 3)], [slice(0, 1), slice(1, 3)], [slice(0, 1), slice(1, 2), slice(2, 3)]):
        inputs = [steps.clone().requires_grad_(), clip.clone().requires_grad_()]
        value = torch.zeros(())
        for rows in parts:
            scores: Scores = {"steps": inputs[0][rows], "clip": inputs[1][rows]}
            value = value + loss(scores, share(target[rows], mask[rows]), Targets(target, mask))
        value.backward()
        of_parts.append((value.detach(), inputs[0].grad, inputs[1].grad))
    for other in of_parts[1:]:
        torch.testing.assert_close(other, of_parts[0])
