"""The losses of training. A truth that is not known (-1, not a number) counts in none of them.

A minibatch is computed in shares. The loss of a share is its part of the loss of the whole minibatch: it is divided by
what is known in the whole. So the losses of the shares, and their gradients, add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vidrnn.config import LossName
from vidrnn.nets.class_scores import Scores
from vidrnn.train.shares.minibatches import Minibatch, Targets

_UNEVEN = 3.0
"""The classes are weighted if the largest has more than this many times the clips of the smallest."""
_STEPS_SHARE = 0.5
_RARITY, _LARGEST_WEIGHT = 0.5, 20.0
"""A class weighs by how rare it is, to this power, and at most so much."""
_SHIFT = 0.5
"""The share of the logarithm of the weights that is added to the scores."""
_LEAST_WEIGHT = 1e-6
_FOCUS = 2.0
"""The power of the focal loss. With 0 it is the cross-entropy."""
_SHOWN_FOCUS, _OTHER_FOCUS, _MARGIN = 1.0, 4.0, 0.05
"""The powers of the asymmetric loss for steps that show a behaviour and for others, and the probability below which the
others count nothing: as in the experiments of its authors."""
_JUMP, _JUMP_SHARE = 4.0, 0.15
"""Jumps of log-probabilities from step to step count up to the first, and with the second as their weight."""


class LabelLoss(nn.Module):
    """The loss of labels at each step: cross-entropy of one class, or of each of several behaviours by itself.

    Near a boundary the target goes over from one label to the next, since annotators differ by a few frames. Where one
    class holds at a time, log-probabilities that jump from step to step cost more: the truncated mean squared error of
    Farha and Gall, "MS-TCN", CVPR 2019.

    Rare classes weigh more, so that they are learnt. Alone, that would also make them answered too often. So the loss
    is of the scores plus half the logarithm of the weights. With all of it, as in Menon et al., "Long-tail learning via
    logit adjustment", ICLR 2021, fewer bouts of rare classes are found.

    The focal loss (Lin et al., ICCV 2017), for classes that exclude each other, counts steps less that are answered
    right already. The asymmetric loss (Ridnik et al., ICCV 2021), for several at once, does so most for steps that do
    not show a behaviour, which takes the place of the weights of rare ones.
    """

    def __init__(
        self,
        counts: Sequence[float],
        *,
        several: bool,
        total: float,
        soft_steps: int,
        smoothing: float,
        loss: LossName = "cross-entropy",
    ) -> None:
        """Choose the weight of each class.

        Args:
            counts: training steps of each class.
            several: whether several may hold at once.
            total: training steps with a known label.
            soft_steps: how far from a boundary, in steps, the target is between both labels.
            smoothing: the share of the target probability that goes to the other classes: to all of them evenly. Where
                several may hold, it goes to the share of the steps in which the behaviour holds, so that the mean
                probability of a rare behaviour, and so its expected duration, stays.
            loss: `focal` where classes exclude each other, `asymmetric` where several may hold.
        """
        super().__init__()
        seen = torch.tensor(counts, dtype=torch.float).clamp(min=1.0)
        rarity = (total - seen).clamp(min=1.0) / seen if several else seen.mean() / seen
        weights = (rarity**_RARITY).clamp(max=_LARGEST_WEIGHT)
        if loss == "asymmetric":
            weights = torch.ones_like(weights)
        weights[torch.tensor(counts) == 0] = 0.0  # label smoothing would teach a class that was never seen
        self.register_buffer("weights", weights)
        self.weights: Tensor
        self.register_buffer("shift", torch.where(weights > 0, weights, 1.0).log() * _SHIFT)
        self.shift: Tensor
        often = torch.tensor(counts) / max(total, 1.0) if several else torch.full_like(weights, 1 / len(counts))
        self.register_buffer("prior", often)
        self.prior: Tensor
        self.several, self.soft_steps, self.smoothing, self.loss = several, soft_steps, smoothing, loss

    def forward(self, scores: Scores, share: Minibatch, whole: Targets | None = None) -> Tensor:
        """The part () that a share has in the loss of a minibatch.

        Args:
            scores: `steps` (batch, time, classes).
            share: its target is (batch, time) class indices, -1 unknown; or (batch, time, classes) 0 or 1, NaN unknown.
            whole: the truth of the whole minibatch; None where the share is all of it.
        """
        truth, all_truth = share.targets, whole or share.targets
        return self._of_several(scores, truth, all_truth) if self.several else self._of_one(scores, truth, all_truth)

    def _of_several(self, scores: Scores, truth: Targets, whole: Targets) -> Tensor:
        steps, known = scores["steps"], _known(truth)
        soft = self._uncertain(self._softened(truth.target.nan_to_num(0.0).to(steps.dtype), known.to(steps.dtype)))
        losses = self._losses_of_several(steps + self.shift, soft)
        mean: Tensor = (losses * known).sum() / _known(whole).sum().clamp(min=1)
        return mean

    def _losses_of_several(self, scores: Tensor, target: Tensor) -> Tensor:
        """The loss of each behaviour at each step, (batch, time, classes)."""
        if self.loss != "asymmetric":
            return nn.functional.binary_cross_entropy_with_logits(
                scores, target, pos_weight=self.weights, reduction="none"
            )
        share = scores.sigmoid()
        other = (share - _MARGIN).clamp(min=0.0)
        shown = (1 - share) ** _SHOWN_FOCUS * nn.functional.logsigmoid(scores)
        return -target * self.weights * shown - (1 - target) * other**_OTHER_FOCUS * torch.log1p(-other)

    def _of_one(self, scores: Scores, truth: Targets, whole: Targets) -> Tensor:
        steps = scores["steps"]
        real, soft = self._soft_classes(truth, steps)
        real_of_all, soft_of_all = self._soft_classes(whole, steps)
        weight = ((soft_of_all * self.weights).sum(-1) * real_of_all).sum().clamp(min=1e-6)
        pairs_of_all = (real_of_all[:, 1:] & real_of_all[:, :-1]).sum()
        log_shares = (steps + self.shift).log_softmax(-1)
        counted = soft * self.weights
        if self.loss == "focal":
            counted = counted * (1 - log_shares.exp()) ** _FOCUS
        losses = -(counted * log_shares).sum(-1) * real
        jumps = (log_shares[:, 1:] - log_shares[:, :-1].detach()) ** 2
        pairs = (real[:, 1:] & real[:, :-1]).unsqueeze(-1)
        jump = (jumps.clamp(max=_JUMP**2) * pairs).sum() / (pairs_of_all * steps.shape[-1]).clamp(min=1)
        loss: Tensor = losses.sum() / weight + _JUMP_SHARE * jump
        return loss

    def _soft_classes(self, truth: Targets, steps: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, time) which steps are known, and (batch, time, classes) their soft targets, typed as `steps`."""
        real = (truth.target >= 0) & truth.mask
        hard = nn.functional.one_hot(truth.target.clamp(min=0), steps.shape[-1]).to(steps.dtype)
        soft = self._softened(hard * real.unsqueeze(-1), real.unsqueeze(-1).float())
        return real, self._uncertain(soft)

    def _uncertain(self, target: Tensor) -> Tensor:
        """The targets (batch, time, classes) after label smoothing."""
        return (1 - self.smoothing) * target + self.smoothing * self.prior

    def _softened(self, target: Tensor, known: Tensor) -> Tensor:
        """The mean of the known targets (batch, time, classes) around each step, near steps weighing more."""
        if self.soft_steps < 1:
            return target
        reach = torch.arange(-self.soft_steps, self.soft_steps + 1, device=target.device, dtype=target.dtype)
        kernel = (1 - reach.abs() / (self.soft_steps + 1)).view(1, 1, -1)

        def around(numbers: Tensor) -> Tensor:
            batch, time, classes = numbers.shape
            lines = numbers.transpose(1, 2).reshape(batch * classes, 1, time)
            mixed = nn.functional.conv1d(lines, kernel, padding=self.soft_steps)
            return mixed.reshape(batch, classes, time).transpose(1, 2)

        return around(target * known) / around(known).clamp(min=1e-6)


class ClassifyLoss(nn.Module):
    """Cross-entropy of the clip's scores with its class, plus half the cross-entropy of the scores of its real steps.

    The loss of the steps trains scores that are right at each moment. Timelines need them.
    """

    def __init__(self, counts: Sequence[int], label_smoothing: float) -> None:
        """Choose the weight of each class.

        Args:
            counts: training clips of each class. If they are uneven, the weight of a class is inverse to its count.
            label_smoothing: the share of the target probability that is spread evenly over all classes, 0 to 1.
        """
        super().__init__()
        clips = torch.tensor(counts, dtype=torch.float)
        uneven = bool(clips.min() > 0 and clips.max() > _UNEVEN * clips.min())
        self.register_buffer("weights", clips.mean() / clips if uneven else torch.ones_like(clips))
        self.weights: Tensor
        self.label_smoothing = label_smoothing

    def forward(self, scores: Scores, share: Minibatch, whole: Targets | None = None) -> Tensor:
        """The part () that a share has in the loss of a minibatch, from its scores.

        Its target is (batch,) classes, -1 unknown. `whole` is the truth of the whole minibatch; None where the share is
        all of it.
        """
        target, mask, all_truth = share.target, share.mask, whole or share.targets
        known = self._weight(all_truth.target)
        known_steps = (known * all_truth.mask.sum(1)).sum().clamp(min=_LEAST_WEIGHT)
        steps, classes = scores["steps"][mask], target.unsqueeze(1).expand_as(mask)[mask]
        of_clips = self._sum(scores["clip"], target) / known.sum().clamp(min=_LEAST_WEIGHT)
        return of_clips + _STEPS_SHARE * self._sum(steps, classes) / known_steps

    def _weight(self, target: Tensor) -> Tensor:
        """(batch,) the weight of each clip by its class; 0 where it is not known."""
        return self.weights[target.clamp(min=0)] * (target >= 0)

    def _sum(self, scores: Tensor, target: Tensor) -> Tensor:
        """The sum of the cross-entropies of the scores with a known class."""
        loss: Tensor = nn.functional.cross_entropy(
            scores, target, self.weights, ignore_index=-1, label_smoothing=self.label_smoothing, reduction="sum"
        )
        return loss


def _known(truth: Targets) -> Tensor:
    """(batch, time, classes): which behaviours are known at which steps."""
    return ~truth.target.isnan() & truth.mask.unsqueeze(-1)
