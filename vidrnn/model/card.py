"""The model card, for people who use a model that they did not train. It comes from the header and the reports."""

from __future__ import annotations

from collections.abc import Sequence

from vidrnn.data.films import counted
from vidrnn.model.front_matter import front_matter
from vidrnn.model.metadata import ModelHeader
from vidrnn.tables import Report, as_markdown, markdown_cell
from vidrnn.values import Part

_PURPOSES = {
    "one": "Says which of {classes} classes a video shows, and when.",
    "several": "Says which of {classes} behaviours a video shows, and when; several may happen at once.",
    "number": "Measures a number in videos.",
    "picture": "Predicts the next frames of videos, and tells anomalies by the errors of its predictions.",
    "vector": "Turns each frame of a video into a feature vector.",
}
"""By the kind of answer."""
_AT_EACH_FRAME = "Says at each frame of a video which of {classes} classes it shows."
_LIMITS = {
    "one": "It knows only these classes, and names one of them for any video; with `--threshold` it can say unknown.",
    "picture": "It knows what is normal from its own validation videos.",
}
"""What a model does not know, by the kind of its answer."""


def model_card(
    header: ModelHeader,
    name: str,
    reports: Sequence[Report],
    terms: str | None = None,
    license_name: str | None = None,
) -> str:
    """Markdown for the README.md of a model folder, with front matter.

    Args:
        header: of the model.
        name: the model's name.
        reports: the scores.
        terms: a sentence on the source of the videos and the terms of their use.
        license_name: the licence of the model, as the Hugging Face Hub names it; None leaves it out.
    """
    spec, facts, answer = header.spec, header.facts, header.answer
    parts = list(header.seen.values())
    counts = f"{parts.count(Part.TRAIN)} videos, chosen on {parts.count(Part.VAL)}, tested on {parts.count(Part.TEST)}"
    one_a_frame = answer.kind == "one" and answer.resolution == "frame"
    purpose = (_AT_EACH_FRAME if one_a_frame else _PURPOSES[answer.kind]).format(classes=len(answer.classes))
    rows = {
        "classes": ", ".join(answer.classes),
        "network": spec.describe(),
        "parameters": f"{facts['parameters']:,}",
        "trained on": f"{counts}; groups {facts['grouping']}",
        "training": f"{counted(facts['epochs'], 'epoch')}, the best was {facts['best_epoch']}; "
        f"{facts['seconds']:.0f} s in all, "
        f"seed {header.seed}",
    }
    lines = [
        front_matter(header, name, license_name),
        f"# {name}",
        "",
        f"{purpose} Made by vidrnn {header.vidrnn_version}.",
        "",
        f"    vidrnn predict VIDEO --model {name}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {title} | {markdown_cell(value)} |" for title, value in rows.items() if value),
        "",
        f"    {facts['command']}",
        "",
        *(line for report in reports for line in as_markdown(report)),
    ]
    if facts.get("choice"):
        lines += [facts["choice"], ""]
    if answer.kind in _LIMITS:
        lines += [_LIMITS[answer.kind], ""]
    lines += ["Its scores hold for videos like those it was trained on, not for others.", ""]
    if terms:
        lines += ["## Terms", "", terms, ""]
    return "\n".join(lines)


_PORTABLE = "## Portable files"


def with_portable(card: str, name: str, sentence: str) -> str:
    """The card with a sentence on the portable file `name`, in place of an older one."""
    body, _, section = card.partition(f"\n{_PORTABLE}\n")
    others = [line for line in section.splitlines() if line and not line.startswith(f"- `{name}`")]
    return "\n".join([body.rstrip(), "", _PORTABLE, "", *others, f"- `{name}`: {sentence}"]) + "\n"
