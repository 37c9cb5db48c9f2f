"""A new head, registered, checked and trained for some seconds: a memory that fades.

    python examples/new_head.py

A head reads the features of the frames, one after the other, and says something at each. It has to obey a law: cut the
time axis anywhere, hand the state on, and nothing changes. Only then can the same model read a clip and a camera.

To keep a head in vidrnn, put its class into a file of its own in vidrnn/nets/heads/ and add one line to the table in
vidrnn/nets/heads/__init__.py. `vidrnn train --head fading` then works, and the tests of the family find the head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidrnn.config import HeadConfig
from vidrnn.nets.classifier import build_sequence
from vidrnn.nets.heads import HEADS
from vidrnn.nets.heads.base import Head, Inlet

TIME, WIDTH = 20, 8
"""Frames of a clip, and features of a frame."""


class FadingHead(Head):
    """h_t = keep * h_(t-1) + (1 - keep) * x_t: each unit is a running mean with a rate that it learns."""

    def __init__(self, width: int, config: HeadConfig) -> None:
        super().__init__()
        self.size = config.units
        self.inlet = Inlet(width, config.units, config.dropout or 0.0)
        # A memory of m frames keeps the share 1 - 1/m at each frame. The logistic function of log(m - 1) is that share.
        memory_frames = torch.linspace(2, 30, config.units)
        self.keep = nn.Parameter((memory_frames - 1).log())

    def forward(
        self, features: Tensor, state: dict[str, Tensor] | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Features (batch, time, width) -> sequence (batch, time, size), and the state after the last real frame."""
        entering, keep = self.inlet(features), torch.sigmoid(self.keep)
        hidden = state["hidden"] if state else torch.zeros_like(entering[:, 0])  # a fresh start is a state of zeros
        sequence = []
        for step, now in enumerate(entering.unbind(1)):
            after = keep * hidden + (1 - keep) * now
            # A padded frame changes nothing.
            hidden = after if mask is None else torch.where(mask[:, step, None], after, hidden)
            sequence.append(hidden)
        return torch.stack(sequence, 1), {"hidden": hidden}


def check_the_law(head: FadingHead) -> float:
    """The largest difference between a clip that is read whole and the same clip read in pieces of 7 frames."""
    clip = torch.randn(4, TIME, WIDTH)
    whole, _ = head(clip)
    pieces: list[Tensor] = []
    state = None
    for piece in clip.split(7, dim=1):
        sequence, state = head(piece, state)
        pieces.append(sequence)
    return float((torch.cat(pieces, 1) - whole).abs().max().detach())


def which_came_first(count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Clips (count, TIME, WIDTH) with one flash on feature 0 and one on feature 1, and which of them came first.

    All frames together look the same in both classes. Only their order tells.
    """
    times = torch.stack([torch.randperm(TIME, generator=random)[:2] for _ in range(count)])
    clips = 0.3 * torch.randn(count, TIME, WIDTH, generator=random)
    clips[..., 2] += 4  # the scene itself, the same in every frame
    clips[torch.arange(count), times[:, 0], 0] += 4
    clips[torch.arange(count), times[:, 1], 1] += 4
    return clips, (times[:, 0] < times[:, 1]).long()


def train(head: str, steps: int = 150) -> float:
    """Train a head, a readout and a classifier; the accuracy on clips that training did not see."""
    torch.manual_seed(0)
    network = build_sequence(WIDTH, HeadConfig(name=head, size=32), "attention", classes=2)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    random = torch.Generator().manual_seed(1)
    for _ in range(steps):
        clips, first = which_came_first(64, random)
        outputs, _ = network(clips)
        loss = nn.functional.cross_entropy(outputs["clip"], first)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    clips, first = which_came_first(2000, random)
    with torch.no_grad():
        outputs, _ = network.eval()(clips)
    return float((outputs["clip"].argmax(1) == first).float().mean())


def main() -> None:
    """Check the new head and compare it with the head that has no memory."""
    HEADS["fading"] = f"{__name__}:FadingHead"
    difference = check_the_law(FadingHead(WIDTH, HeadConfig(size=32)).eval())
    print(f"whole clip and pieces of 7 frames differ by {difference:.0e} at most")
    for head in ("none", "fading"):
        print(f"{head:6}  which flash came first: {train(head):.2f} right, where guessing gives 0.50")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
