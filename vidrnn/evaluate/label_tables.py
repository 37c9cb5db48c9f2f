"""Scores of labels at each frame as tables, sentences and numbers, with the definition of each score beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidrnn.data.films import counted
from vidrnn.evaluate.agreement import Agreement
from vidrnn.evaluate.bouts import ACTIVITYNET_IOUS, IOUS, THUMOS_IOUS, BorderErrors, BoutTimes
from vidrnn.evaluate.label_scores import TIOUS, BehaviourScores, LabelScores
from vidrnn.tables import Report, Style, Table

_SHOWN = 1
"""The place in `IOUS` of the overlap whose precision, recall and borders are shown. The numbers hold all of them."""


def label_report(
    scores: LabelScores,
    interval: tuple[float, float] | None,
    *,
    task: str,
    title: str = "",
    names: Sequence[str] = (),
    worst: Sequence[Mapping[str, Any]] = (),
) -> Report:
    """The scores of labels at each frame as tables, sentences and numbers.

    Args:
        scores: the scores.
        interval: the 95 % interval of frame accuracy, or of macro-F1 if several behaviours may hold.
        task: the name of the task.
        title: the title of the report.
        names: the name of each film; empty: the films have none.
        worst: the longest wrong stretches, as `wrong_stretches` gives them.
    """
    tables = [_frames_table(scores), _bouts_table(scores), _films_table(scores)]
    if worst:
        tables.append(_worst_table(worst))
    middle = (*_detection_sentence(scores), *_agreement_sentence(scores.agreement))
    sentences = (*_warnings(scores), *middle, _summary(scores, interval))
    return Report(
        title, tuple(tables), sentences, _definitions(scores, interval), _numbers(scores, interval, task, names, worst)
    )


def _numbers(
    scores: LabelScores,
    interval: tuple[float, float] | None,
    task: str,
    names: Sequence[str],
    worst: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    bounds = None if interval is None else list(interval)
    agreement = scores.agreement
    return {
        "task": task,
        "films": len(scores.films),
        "frames": scores.frames,
        "classes": list(scores.classes),
        "background": scores.background,
        "frame_accuracy": scores.frame_accuracy,
        "frame_accuracy_interval": None if scores.several else bounds,
        "majority": scores.majority,
        "macro_f1": scores.macro_f1,
        "macro_f1_interval": bounds if scores.several else None,
        "edit": scores.edit,
        **{f"f1_{_percent(iou)}": f1 for iou, f1 in zip(IOUS, scores.f1_at, strict=True)},
        "kappa": scores.kappa,
        "map_tiou": _detection_numbers(scores),
        "agreement": None
        if agreement is None
        else {
            "people": agreement.people,
            "model": list(agreement.model),
            "films": agreement.films,
            "frames": agreement.frames,
        },
        "per_class": {one.label: _behaviour_numbers(one) for one in scores.per_class},
        "per_film": [_film_numbers(scores, place, names[place : place + 1]) for place in range(len(scores.films))],
        "worst": [dict(one) for one in worst],
    }


def _detection_numbers(scores: LabelScores) -> dict[str, Any] | None:
    """mAP at each temporal IoU, and its means over those of THUMOS14 and ActivityNet."""
    if scores.map_tiou is None:
        return None
    at = {f"{iou:.2f}": value for iou, value in zip(TIOUS, scores.map_tiou, strict=True)}
    return {"at": at, "thumos": scores.map_over(THUMOS_IOUS), "activitynet": scores.map_over(ACTIVITYNET_IOUS)}


def _behaviour_numbers(one: BehaviourScores) -> dict[str, Any]:
    return {
        "f1": one.f1,
        "precision": one.precision,
        "recall": one.recall,
        "average_precision": one.average_precision,
        "kappa": one.kappa,
        "edit": one.edit,
        "support": one.support,
        "count": _both(one.totals("count")),
        "seconds": _both(one.totals("seconds")),
        "expected_seconds": one.expected_seconds,
        "mean_seconds": _both(one.medians("mean_seconds")),
        "latency_seconds": _both(one.medians("latency_seconds")),
        "concordance": dict(one.concordance),
        "bouts": {
            _percent(each.iou): {
                "found": each.counts.found,
                "extra": each.counts.extra,
                "missed": each.counts.missed,
                "precision": each.counts.precision,
                "recall": each.counts.recall,
                "f1": each.counts.f1,
                "start_error_seconds": _errors(each.start),
                "end_error_seconds": _errors(each.end),
            }
            for each in one.bouts
        },
    }


def _film_numbers(scores: LabelScores, place: int, name: Sequence[str]) -> dict[str, Any]:
    film = scores.films[place]
    accuracy = film.hits / film.frames if film.hits is not None and film.frames else None
    bouts = {one.label: one.films[place] for one in scores.per_class}
    return {
        **({"path": name[0]} if name else {}),
        "frames": film.frames,
        "frame_accuracy": accuracy,
        "edit": film.edit,
        "per_class": {label: _times(*both) for label, both in bouts.items() if both is not None},
    }


def _times(truth: BoutTimes, answer: BoutTimes) -> dict[str, Any]:
    names = ("count", "seconds", "mean_seconds", "latency_seconds")
    return {name: _both((getattr(truth, name), getattr(answer, name))) for name in names}


def _both(pair: tuple[Any, Any]) -> dict[str, Any]:
    return {"true": pair[0], "predicted": pair[1]}


def _errors(errors: BorderErrors | None) -> dict[str, float] | None:
    return None if errors is None else {"median": errors.median, "p90": errors.high}


def _frames_table(scores: LabelScores) -> Table:
    rows = tuple(
        (
            one.label,
            f"{one.support:,}",
            _share(one.precision),
            _share(one.recall),
            _share(one.f1),
            _share(one.average_precision),
        )
        for one in scores.per_class
    )
    return Table(("behaviour", "frames", "precision", "recall", "F1", "AP"), rows, "frames")


def _bouts_table(scores: LabelScores) -> Table:
    rows = tuple(
        (
            one.label,
            *(_share(each) for each in (one.bouts[_SHOWN].counts.precision, one.bouts[_SHOWN].counts.recall)),
            *(_error(each) for each in (one.bouts[_SHOWN].start, one.bouts[_SHOWN].end)),
        )
        for one in scores.per_class
    )
    columns = ("behaviour", "precision", "recall", "start error", "end error")
    return Table(columns, rows, f"bouts with an overlap of {IOUS[_SHOWN]} or more")


def _films_table(scores: LabelScores) -> Table:
    """Counts and times, true and predicted. The numbers hold Lin's concordance over films too."""
    rows = tuple(
        (
            one.label,
            _two([f"{number:,.0f}" for number in one.totals("count")]),
            _two([_seconds(number) for number in one.totals("seconds")]),
            _two([_seconds(number) for number in one.medians("mean_seconds")]),
            _two([_seconds(number) for number in one.medians("latency_seconds")]),
        )
        for one in scores.per_class
    )
    columns = ("behaviour", "bouts", "seconds", "mean bout", "first bout")
    return Table(columns, rows, "true / predicted")


def _worst_table(worst: Sequence[Mapping[str, Any]]) -> Table:
    rows = tuple(
        (
            Path(one["path"]).name,
            f"{one['start_seconds']:.2f}-{one['end_seconds']:.2f}",
            *(str(one["truth"]), str(one["answer"])),
        )
        for one in worst
    )
    styles: dict[tuple[int, int], Style] = {(row, 3): "bad" for row in range(len(rows))}
    columns = ("film", "seconds", "is", "answer")
    return Table(columns, rows, "longest wrong stretches", styles=styles, in_card=False)


def _summary(scores: LabelScores, interval: tuple[float, float] | None) -> str:
    bounds = "" if interval is None else f" ({interval[0]:.2f} to {interval[1]:.2f})"
    f1 = " / ".join(_share(each) for each in scores.f1_at)
    rest = f"edit {scores.edit:.3f}, F1@10/25/50 {f1}, kappa {_share(scores.kappa)}, "
    films = f"{counted(scores.frames, 'frame')} of {counted(len(scores.films), 'video')}."
    if scores.several:
        return f"Macro-F1 {_share(scores.macro_f1)}{bounds}, {rest}{films}"
    return (
        f"Frame accuracy {_share(scores.frame_accuracy)}{bounds}, most frequent class alone {_share(scores.majority)}, "
        f"macro-F1 {_share(scores.macro_f1)}, {rest}{films}"
    )


def _warnings(scores: LabelScores) -> tuple[str, ...]:
    """A sentence on behaviours that the truth never shows."""
    never = [one.label for one in scores.per_class if not one.support]
    if not never:
        return ()
    return (
        f"The truth never shows {_listed(never)}, so macro-F1 says nothing of {'it' if len(never) == 1 else 'them'}.",
    )


def _detection_sentence(scores: LabelScores) -> tuple[str, ...]:
    thumos, activitynet = scores.map_over(THUMOS_IOUS), scores.map_over(ACTIVITYNET_IOUS)
    if thumos is None or activitynet is None:
        return ()
    return (
        f"mAP of bouts {thumos:.3f} at temporal IoU 0.3 to 0.7 (THUMOS14), {activitynet:.3f} at 0.5 to 0.95 "
        "(ActivityNet); the score of a bout is its mean probability.",
    )


def _agreement_sentence(agreement: Agreement | None) -> tuple[str, ...]:
    if agreement is None or agreement.people is None:
        return ()
    people = "Two people" if len(agreement.model) == 2 else f"Two of {len(agreement.model)} people"
    mine = _listed([_share(one, 2) for one in agreement.model])
    return (
        f"{people} agree to {agreement.people:.2f}, the model with each to {mine} "
        f"(kappa, {counted(agreement.frames, 'frame')} of {counted(agreement.films, 'video')}).",
    )


def _definitions(scores: LabelScores, interval: tuple[float, float] | None) -> tuple[str, ...]:
    """A sentence with the definition of each number."""
    background = (
        "No class is the background."
        if scores.background is None
        else f"The background is {scores.background}. It counts in "
        + ("no score." if scores.several else "frame accuracy and kappa only.")
    )
    each = ", each behaviour by itself; mean over behaviours that occur in truth or answer" if scores.several else ""
    kappa = "Kappa: Cohen's, of frames" + (", mean over behaviours." if scores.several else ", over all classes.")
    measured = "macro-F1" if scores.several else "frame accuracy"
    chance = (
        f"The interval of {measured} needs three groups of videos, so there is none."
        if interval is None
        else f"In brackets: the 95 % interval of {measured}, by a bootstrap over groups of videos."
    )
    return (
        f"Scores are taken over all frames with known truth, all videos together. {background}",
        "F1: of frames; macro-F1: its mean over behaviours that occur in the truth. AP: average precision of frames.",
        "Edit: 1 - edit distance / length of the longer sequence of bouts, mean over videos" + each + ".",
        "F1@k: F1 of bouts, all videos together. A bout is found if the true bout that it overlaps most is of its "
        "behaviour, is free and overlaps by k % (frames in both / frames in either)" + each + ".",
        kappa,
        "Errors of borders: median / 90 %. Mean bout: of a video; first bout: from the video's start; both are medians "
        "over videos.",
        chance,
    )


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _share(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _error(errors: BorderErrors | None) -> str:
    return "-" if errors is None else f"{errors.median:.2f} / {errors.high:.2f} s"


def _two(words: Sequence[str]) -> str:
    return " / ".join(words)


def _percent(iou: float) -> str:
    return f"{100 * iou:.0f}"
