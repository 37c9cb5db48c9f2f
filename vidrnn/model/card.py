"""The model card: what a stranger should know before using a model, written from the facts of its run."""

from __future__ import annotations

from collections.abc import Sequence

from vidrnn.config import ModelHeader
from vidrnn.values import Part


def model_card(header: ModelHeader, name: str, terms: str | None = None) -> str:
    """Markdown for the README.md of a model folder; `terms` tells where the films came from and what binds them."""
    spec, facts, scores = header.spec, header.facts, header.scores
    parts = list(header.seen.values())
    counts = f"{parts.count(Part.TRAIN)} clips, chosen on {parts.count(Part.VAL)}, tested on {parts.count(Part.TEST)}"
    frozen = "frozen" if spec.encoder.frozen else "trained on these clips"
    lines = [
        f"# {name}",
        "",
        f"Answers which of {len(spec.classes)} classes a film shows, and when. Made by vidrnn {header.vidrnn_version}.",
        "",
        f"    vidrnn predict FILM --model {name}",
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(spec.classes)} |",
        f"| encoder | {spec.encoder.name}, {frozen}, first weights: {spec.encoder.origin}{spec.encoder.sees} |",
        f"| head | {spec.head.name}, {spec.head.size} units, {spec.head.depth} layer(s)"
        f"{', both directions' * spec.head.bidirectional}{', sees change of features' * spec.head.motion}; "
        f"readout {spec.readout} |",
        f"| parameters | {facts['parameters']:,} |",
        f"| sees | {spec.size} pixels, windows of {spec.frames} frames, {spec.spacing_seconds:g} s apart |",
        f"| trained on | {counts}; groups {facts['grouping']} |",
        f"| training | {facts['epochs']} epochs, the best was {facts['best_epoch']}; {facts['seconds']:.0f} s in all, "
        f"seed {header.seed} |",
        f"| temperature | {header.temperature:.3f} |",
        "",
        f"    {facts['command']}",
        "",
        f"## Scores on its {scores['part']} part",
        "",
        f"accuracy {scores['accuracy']:.3f}, macro-F1 {scores['macro_f1']:.3f}, "
        f"expected calibration error {scores['ece']:.3f} ({scores['clips']} clips).",
        "",
        *_controls(scores),
        *_per_class(scores),
        "",
        "## Good to know",
        "",
        "- It knows only the classes above and will name one of them for any film; `--threshold` lets it say unknown.",
        "- Its scores hold for films like those it was trained on, not for others.",
    ]
    if facts.get("trial"):
        lines += [f"- Encoder: {facts['trial']}"]
    if terms:
        lines += ["", "## Terms", "", terms]
    return "\n".join(lines) + "\n"


def forecaster_card(header: ModelHeader, name: str, terms: str | None = None) -> str:
    """Markdown for the README.md of a model of the next frames."""
    spec, facts, scores, forecast = header.spec, header.facts, header.scores, header.spec.forecast
    assert forecast is not None
    parts = list(header.seen.values())
    counts = f"{parts.count(Part.TRAIN)} films, chosen on {parts.count(Part.VAL)}, tested on {parts.count(Part.TEST)}"
    grey = ", grey" * forecast.grey
    lines = [
        f"# {name}",
        "",
        f"Foretells the next frames of films, and says which are unusual. Made by vidrnn {header.vidrnn_version}.",
        "",
        f"    vidrnn predict FILM --model {name}",
        "",
        "| | |",
        "|---|---|",
        f"| network | {spec.encoder.name} > {spec.head.name}, {spec.head.size} units > {forecast.paint} |",
        f"| parameters | {facts['parameters']:,} |",
        f"| sees | {spec.size} pixels{grey}, frames {spec.spacing_seconds:g} s apart |",
        f"| trained on | {counts}; groups {facts['grouping']}; {forecast.context} frames seen, "
        f"{forecast.horizon} foretold |",
        f"| training | {facts['epochs']} epochs, the best was {facts['best_epoch']}; {facts['seconds']:.0f} s in all, "
        f"seed {header.seed} |",
        "",
        f"    {facts['command']}",
        "",
        forecast.chosen,
        "",
        f"## Scores on its {scores['part']} part, {scores['stretches']} stretches",
        "",
        "| | MSE | MAE | MSE of a pixel | PSNR | SSIM |",
        "|---|---|---|---|---|---|",
        *(_method(method, numbers) for method, numbers in scores["baselines"].items()),
        _method("this model", scores),
        "",
        "MSE and MAE are sums over a frame of numbers in [0, 1]; all are means over frames and steps ahead.",
        "",
        scores["sentence"],
        "",
        "## Good to know",
        "",
        "- What is unusual is told by films in which nothing unusual was known: its own validation films.",
        "- Its scores hold for films like those it was trained on, not for others.",
    ]
    if terms:
        lines += ["", "## Terms", "", terms]
    return "\n".join(lines) + "\n"


def _method(name: str, numbers: dict[str, float]) -> str:
    ssim = "-" if numbers["ssim"] is None else f"{numbers['ssim']:.3f}"
    sums = f"{numbers['mse_sum']:.1f} | {numbers['mae_sum']:.1f}"
    return f"| {name} | {sums} | {numbers['mse']:.2e} | {numbers['psnr']:.2f} | {ssim} |"


_PORTABLE = "## Portable files"


def with_portable(card: str, name: str, sentence: str) -> str:
    """The card, which now also tells what is to be known of the portable file `name`; an older sentence goes."""
    body, _, section = card.partition(f"\n{_PORTABLE}\n")
    kept = [line for line in section.splitlines() if line and not line.startswith(f"- `{name}`")]
    return "\n".join([body.rstrip(), "", _PORTABLE, "", *kept, f"- `{name}`: {sentence}"]) + "\n"


def _controls(scores: dict[str, object]) -> list[str]:
    controls = scores.get("controls")
    if not isinstance(controls, dict):
        return []
    tested = any(row["test_accuracy"] is not None for row in controls["rows"])
    rows = [
        f"| {row['name']} | {row['val_accuracy']:.3f} | "
        + (f"{row['test_accuracy']:.3f} | " if tested else "")
        + f"{row['interval'][0]:.2f} to {row['interval'][1]:.2f} |"
        for row in controls["rows"]
    ]
    head = ["| | validation | test | 95 % interval |", "|---|---|---|---|"]
    if not tested:
        head = ["| | validation | 95 % interval |", "|---|---|---|"]
    remark = [f"{controls['remark']}", ""] if controls["remark"] else []
    return [*head, *rows, "", controls["sentence"], "", *remark]


def _per_class(scores: dict[str, object]) -> list[str]:
    per_class = scores["per_class"]
    assert isinstance(per_class, Sequence)
    return ["| class | clips | precision | recall |", "|---|---|---|---|"] + [
        f"| {row['label']} | {row['clips']} | {row['precision']:.3f} | {row['recall']:.3f} |" for row in per_class
    ]
