"""The search for the settings of labels at each frame: what is tried, how far, and what is trained wholly."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import make_acts, train_acts

from vidrnn.config import RunConfig
from vidrnn.model.checkpoint import load_model
from vidrnn.train.fit import Validation
from vidrnn.train.journal import Journal
from vidrnn.train.search.candidates import FROZEN, TINY, Candidate
from vidrnn.train.search.labelling import LabelSearch, Tried, finalists, hopeful
from vidrnn.values import LabelledFilm, Part, Size


def tried(name: str, *scores: float, kind: int = FROZEN) -> Tried:
    encoder = name.split("+", maxsplit=1)[0]
    return Tried(Candidate(name, kind, RunConfig.of({"encoder": encoder}, "test")), scores, "")


def names_of(some: list[Tried]) -> list[str]:
    return [one.candidate.name for one in some]


def test_further_folds_are_for_candidates_that_are_not_far_behind_on_the_first() -> None:
    every = [tried("near", 0.55), tried("best", 0.6), tried("far", 0.45)]
    assert names_of(hopeful(every)) == ["near", "best"]
    slow = [tried("tiny", 0.54, kind=TINY), tried("tiny+b", 0.56, kind=TINY)]
    assert names_of(hopeful([*every, *slow])) == ["near", "best", "tiny+b"], "slow ones must be nearer"
    assert hopeful([tried("net", 0.4), *slow]) == [], "whole trainings compare encoders that learn"


def test_of_one_frozen_encoder_only_the_best_is_trained_wholly() -> None:
    every = [
        tried("net", 0.69),
        tried("net+change", 0.7),
        tried("tiny", 0.68, kind=TINY),
        tried("tiny+b", 0.6, kind=TINY),
    ]
    assert names_of(finalists(every)) == ["net+change", "tiny"]
    ways = [tried("tiny+a", 0.7, kind=TINY), tried("tiny+b", 0.69, kind=TINY), tried("tiny+c", 0.68, kind=TINY)]
    assert names_of(finalists(ways)) == ["tiny+a", "tiny+b"], "those that learn from the videos learn in unlike ways"


WAYS = ("mobilenet_v2", "mobilenet_v2+change", "mobilenet_v2+difference", "mobilenet_v2+change+difference")


class FakeLearner:
    """Scores a training by the motion that it sees and by its fold, and counts trainings."""

    done: list[tuple[str, int, int, float]]

    def __init__(self, setting: Any, config: RunConfig, done: list[tuple[str, int, int, float]]) -> None:
        self.setting, self.config, self.done = setting, config, done
        self.network = SimpleNamespace(sequence=SimpleNamespace(eval=lambda: self))

    def prepare(self, places: Any, to_train: bool) -> Any:
        return iter(())

    def with_fresh_weights(self, seed: int) -> FakeLearner:
        self.seed = seed
        return self

    def fit_blind(self, places: Any, share: float, most_epochs: int) -> Any:
        name = "+".join([self.config.encoder, *self.config.motion]) + " grey" * self.config.grey
        name += f" {self.config.loss}" * (self.config.encoder != "tiny" and self.config.loss != "cross-entropy")
        self.done.append((name, self.seed, self.config.members, share))
        return SimpleNamespace(run=lambda keep: iter(()), epoch=3, name=name, resume=lambda state: None)

    def features(self, places: Any) -> Any:
        return None

    targets = features


def search_of(scores: dict[str, list[float]]) -> tuple[LabelSearch, list[tuple[str, int, int, float]]]:
    """A search on twelve films whose candidates have these scores in each fold, and its list of trainings."""
    done: list[tuple[str, int, int, float]] = []

    def validate(setting: Any, learner: Any, features: Any, targets: Any) -> Validation:
        name, fold, _, _ = done[-1]
        return Validation(scores.get(name, [0.0] * 3)[fold], 0.0)

    films = [LabelledFilm(Path(f"{number}.avi"), "") for number in range(12)]
    setting: Any = SimpleNamespace(
        config=RunConfig.of({"task": "label"}, "test"),
        dataset=SimpleNamespace(
            films=films,
            groups=[str(number) for number in range(12)],
            durations_seconds=lambda places: np.full(len(places), 10.0),
            median_size=Size(120, 160),
        ),
        places=lambda part: list(range(10)) if part is Part.TRAIN else [10, 11],
        sampling=SimpleNamespace(spacing_seconds=0.1),
        objective=SimpleNamespace(validate=validate),
        answer=SimpleNamespace(kind="one"),
        journal=Journal(),
        stop=Event(),
    )
    return LabelSearch(setting, lambda config: FakeLearner(setting, config, done), 1.0), done  # type: ignore[return-value, arg-type]


def run_search(search: LabelSearch) -> Any:
    steps = search.run()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_a_lucky_fold_decides_nothing_and_change_of_features_is_tried() -> None:
    search, done = search_of(
        {
            "mobilenet_v2": [0.62, 0.4, 0.5],
            "mobilenet_v2+change": [0.55, 0.6, 0.7],
            "mobilenet_v2+difference": [0.6, 0.5, 0.5],
            "mobilenet_v2+change+difference": [0.5, 0.9, 0.9],
        }
    )
    found = run_search(search)
    assert found.config.motion == ("change",) and found.config.members == 3
    assert {heads for _, _, heads, share in done if share < 1} == {1}, "short trainings are of one head"
    assert ("mobilenet_v2+change+difference", 1, 1, 0.4) not in done, "it was hopeless on the first fold"
    assert len(done) == len(set(done)) and not [one for one in done if one[-1] == 1.0], "nothing is trained twice"


def test_a_candidate_of_one_fold_is_not_compared_with_means_of_three() -> None:
    search, _ = search_of(
        {
            "mobilenet_v2": [0.69, 0.1, 0.1],
            "mobilenet_v2+change": [0.79, 0.54, 0.54],
            "mobilenet_v2+difference": [0.8, 0.55, 0.55],
        }
    )
    found = run_search(search)
    assert found.config.motion == ("difference",)
    assert found.reason.endswith("0.633 on videos of held-out groups, the best other 0.623.")


def test_where_several_hold_no_other_loss_is_tried() -> None:
    search, done = search_of({})
    search._setting.__dict__["answer"] = SimpleNamespace(kind="several")
    assert run_search(search).config.loss == "cross-entropy" and done
    assert not [name for name, *_ in done if name.endswith(("focal", "asymmetric"))]


@pytest.mark.parametrize(("gain", "loss"), [(0.02, "focal"), (0.004, "cross-entropy"), (-0.01, "cross-entropy")])
def test_the_focal_loss_is_taken_where_it_scores_clearly_higher(gain: float, loss: str) -> None:
    best = {"mobilenet_v2+difference": [0.6, 0.7, 0.8]}
    search, done = search_of({**best, "mobilenet_v2+difference focal": [0.6 + gain, 0.7 + gain, 0.8 + gain]})
    assert run_search(search).config.loss == loss
    focal = [name for name, *_ in done if name.startswith("mobilenet") and name.endswith("focal")]
    assert focal == ["mobilenet_v2+difference focal"] * 3


def test_a_loss_that_the_user_gave_stays() -> None:
    search, done = search_of({"mobilenet_v2 focal": [0.9] * 3})
    search._setting.__dict__["config"] = RunConfig.of({"task": "label", "loss": "focal"}, "test")
    assert run_search(search).config.loss == "focal"
    assert {name for name, *_ in done if name.startswith("mobilenet")} == {f"{name} focal" for name in WAYS}


def test_level_encoders_of_two_kinds_are_trained_wholly() -> None:
    search, done = search_of({"mobilenet_v2": [0.6, 0.6, 0.6], "tiny+difference": [0.61, 0.6, 0.6]})
    found = run_search(search)
    wholly = [(name, heads, share) for name, _, heads, share in done if share > 0.4]
    assert wholly == [("tiny+difference", 1, 0.56)] * 3 + [("mobilenet_v2", 3, 1.0)] * 3
    assert found.config.encoder == "mobilenet_v2", "of level candidates the simpler one"


@pytest.mark.slow
def test_a_search_ends_in_a_model_and_its_table_is_in_the_header(tmp_path: Path) -> None:
    run = train_acts(make_acts(tmp_path / "films"), tmp_path / "run", steps=2, encoder="tiny", search=True)
    header = load_model(run.model).header
    rows = header.scores["search"]
    assert {row["how"].split(", ", 1)[1] for row in rows} <= {"1 of 3 folds", "3 of 3 folds"} and len(rows) == 2
    assert str(header.facts["choice"]).startswith("The search chose tiny")


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "resnet18"])
def test_behind_a_named_encoder_the_search_tries_its_motion(encoder: str) -> None:
    search, done = search_of({f"{encoder}+change+difference": [0.9, 0.9, 0.9]})
    search._setting.__dict__["config"] = RunConfig.of({"task": "label", "encoder": encoder, "search": True}, "test")
    assert run_search(search).config.motion == ("change", "difference")
    assert len({name for name, *_ in done if not name.endswith("focal")}) == 4
