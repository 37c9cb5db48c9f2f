"""The classification output of the network: a sequence becomes scores of classes. The loss is in train/lessons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidrnn.nets.readouts.base import Readout
from vidrnn.nets.state import State
from vidrnn.values import Floats

Scores = dict[str, Tensor]
"""Scores of the classes, before softmax: `clip` (batch, classes) for all steps since the fresh start, and `steps`
(batch, time, classes) for each step, which depends on the steps before it."""


@dataclass(frozen=True)
class LinearSolution:
    """A linear classifier of standardised vectors: scores = weight (vector - mean) / deviation + bias.

    The fields are `coef_` and `intercept_` of scikit-learn's LogisticRegression, and `mean_` and `scale_` of its
    StandardScaler. Two classes need two rows, since the network scores each class: `[-coef / 2, coef / 2]` and
    `[-intercept / 2, intercept / 2]` give the probabilities of scikit-learn's one row.
    """

    weight: Floats
    """(classes, width)"""
    bias: Floats
    """(classes,)"""
    mean: Floats
    """(width,)"""
    deviation: Floats
    """(width,), above 0"""


class ClassOutput(nn.Module):
    """Sequence (batch, time, size) -> scores: a readout over time, then one linear layer.

    A readout whose vector is not of the sequence's size needs a second linear layer, for the steps. Without a readout
    there are scores of the steps only.
    """

    def __init__(self, readout: Readout | None, size: int, classes: int) -> None:
        super().__init__()
        self.readout = readout
        self.classifier = nn.Linear(size if readout is None else readout.width, classes)
        self.step_classifier = None if readout is None or readout.width == size else nn.Linear(size, classes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its scores."""
        return ("steps",) if self.readout is None else ("clip", "steps")

    def forward(self, sequence: Tensor, state: State | None = None, mask: Tensor | None = None) -> tuple[Scores, State]:
        """Read on from `state`; None is a fresh start.

        Where one layer scores the readout's vector and each step, the vector is a weighted mean of steps. The layer is
        linear, so the scores of a clip are the same weighted mean of the scores of its steps.

        Args:
            sequence: (batch, time, size) float.
            state: the state that this module returned for the steps before.
            mask: (batch, time) bool, True for real steps, which come before the padding; None if all are real.

        Returns:
            the scores, and the state of the readout.
        """
        if self.readout is None:
            return {"steps": self.classifier(sequence)}, {}
        pooled, state = self.readout(sequence, state, mask)
        for_steps = self.classifier if self.step_classifier is None else self.step_classifier
        return {"clip": self.classifier(pooled), "steps": for_steps(sequence)}, state

    def set_linear(self, clip: LinearSolution, steps: LinearSolution | None = None) -> None:
        """Set the weights of the linear layers from solutions that were found elsewhere.

        Args:
            clip: for the readout's vector, (classes, readout.width).
            steps: for the steps of the sequence, (classes, size), where a second layer scores them. None: the step
                that is the mean of all clips gets the score of the mean clip, and from there a step counts as a clip
                does in which it is the only step, with the deviation that clips have.

        Raises:
            ValueError: a shape is another one, or there is no layer of its own for the steps, or no readout.
        """
        if self.readout is None:
            raise ValueError("a solution is for the vector of a readout, and there is none")
        _set(self.classifier, clip)
        if self.step_classifier is None:
            if steps is not None:
                raise ValueError("one layer scores the clip and its steps; leave the solution for steps out")
            return
        if steps is None:
            weight = self.readout.for_step(torch.from_numpy(clip.weight / clip.deviation)).numpy()
            mean = self.readout.of_still(torch.from_numpy(clip.mean)).numpy()
            steps = LinearSolution(weight, clip.bias, mean, mean * 0 + 1)
        _set(self.step_classifier, steps)


def _set(layer: nn.Linear, solution: LinearSolution) -> None:
    """Give a layer the weights of a solution, with its standardisation in them."""
    weight = solution.weight / solution.deviation
    bias = solution.bias - weight @ solution.mean
    if weight.shape != layer.weight.shape or bias.shape != layer.bias.shape:
        raise ValueError(f"wanted weights {tuple(layer.weight.shape)}, found {weight.shape} and biases {bias.shape}")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
