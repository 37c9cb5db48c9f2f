"""Shortcuts: facts of files that tell the class."""

from __future__ import annotations

import numpy as np
from conftest import followed
from scans import make_dataset, make_scan

from vidrnn.check.shortcuts import find_shortcuts, gain_interval, shortcut_findings
from vidrnn.data.dataset import Dataset
from vidrnn.values import Size


def dataset_of(rng: np.random.Generator, *, telling: bool, size: bool = False) -> Dataset:
    """60 clips in 12 groups, whose length or size tells the class or tells nothing."""
    labels = ["walk", "run", "sit"] * 20
    lengths = {"walk": 3.0, "run": 5.0, "sit": 7.0}
    scans = [
        make_scan(
            f"{place}.mp4",
            seconds=(lengths[label] if telling else 5.0) + float(rng.uniform(-0.8, 0.8)),
            size=Size(120, 160 + 80 * (size and label == "run")),
        )
        for place, label in enumerate(labels)
    ]
    return make_dataset(labels, scans, [f"g{place // 5}" for place in range(60)])


def test_a_length_that_tells_the_class_is_a_warning_with_an_interval() -> None:
    shortcuts, _ = followed(find_shortcuts(dataset_of(np.random.default_rng(0), telling=True)))
    by_fact = {each.fact: each for each in shortcuts}
    assert by_fact["length"].tells and by_fact["length"].accuracy > 0.9
    assert by_fact["length"].gain.low <= by_fact["length"].gain.value <= by_fact["length"].gain.high
    (finding,) = shortcut_findings([by_fact["length"]])
    assert (finding.kind, finding.level) == ("shortcut", "warning")
    assert finding.text.startswith("Facts of the files alone tell the class: of the clips of other groups")
    assert f"{by_fact['length'].accuracy:.2f} by the length (" in finding.text


def test_facts_that_tell_nothing_are_no_warning() -> None:
    for seed in range(3):
        shortcuts, _ = followed(find_shortcuts(dataset_of(np.random.default_rng(seed), telling=False)))
        assert [each.fact for each in shortcuts if each.tells] == []
        assert [*shortcut_findings(shortcuts)] == []


def test_facts_that_do_not_vary_are_not_judged_and_one_class_of_three_by_its_size_is() -> None:
    shortcuts, _ = followed(find_shortcuts(dataset_of(np.random.default_rng(0), telling=False, size=True)))
    facts = [each.fact for each in shortcuts]
    assert "codec or file type" not in facts
    assert [each.fact for each in shortcuts if each.tells and each.fact == "picture size"] == ["picture size"]


def test_a_fact_of_the_group_alone_is_no_shortcut() -> None:
    """A tree that knew the groups would be right: each has its own length, and its clips mostly one class."""
    labels = [("walk", "run")[(place // 5) % 2] for place in range(60)]
    groups = [f"g{place // 5}" for place in range(60)]
    order = np.random.default_rng(4).permutation(12)
    scans = [make_scan(f"{place}.mp4", seconds=3.0 + 0.3 * int(order[place // 5])) for place in range(60)]
    shortcuts, _ = followed(find_shortcuts(make_dataset(labels, scans, groups)))
    assert not any(each.tells for each in shortcuts)


def test_few_clips_or_labels_of_moments_give_no_number() -> None:
    few = make_dataset(["walk", "run"] * 5, [make_scan(f"{place}.mp4", seconds=3.0 + place) for place in range(10)])
    assert followed(find_shortcuts(few))[0] == ()


def test_clips_of_one_group_widen_the_interval() -> None:
    hits, none = np.repeat([True, False, True, False, True, True], 10), np.zeros(60, dtype=np.bool_)
    apart = gain_interval(hits, none, [str(place) for place in range(60)])
    alike = gain_interval(hits, none, [str(place // 10) for place in range(60)])
    assert apart.value == alike.value
    assert alike.high - alike.low > 1.5 * (apart.high - apart.low)
