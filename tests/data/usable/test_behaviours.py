"""What films show: one behaviour at a time or several, the background, and a single film as two parts in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidrnn.config import LabelsConfig
from vidrnn.data.annotations import behaviour_tracks, class_track, known_frames
from vidrnn.data.usable.behaviours import Behaviours, cut_in_time, is_known, settle_behaviours
from vidrnn.errors import DataError
from vidrnn.values import Annotation, Bout, FilmFacts, FilmScan, LabelledFilm, Part, Size

FPS = 10.0
Stretch = tuple[float, float, str]


def scan_of(name: str = "a.avi", frames: int = 100, *, fps: float = FPS, first: float = 0.0) -> FilmScan:
    times = first + np.arange(frames) / fps
    facts = FilmFacts(Path(name), Size(24, 32), "x", frames, first, float(times[-1]), frames / fps, 0, frames, fps)
    return FilmScan(facts, "", np.zeros((1, 12, 16), np.uint8), times)


def labelled(*stretches: Stretch, name: str = "a.avi", **more: Any) -> LabelledFilm:
    bouts = tuple(Bout(*one) for one in sorted(stretches))
    others = tuple(Annotation(tuple(Bout(*one) for one in each)) for each in more.pop("others", ()))
    return LabelledFilm(Path(name), annotation=Annotation(bouts, **more), others=others)


def settled(*films: LabelledFilm, fps: float = FPS, **options: Any) -> Behaviours:
    return settle_behaviours(films, [scan_of(fps=fps) for _ in films], LabelsConfig(**options))


def truth(found: Behaviours, place: int = 0) -> list[str]:
    """The class of each frame of a film."""
    annotation = found.films[place].annotation
    assert annotation is not None
    track = class_track(annotation, found.classes, np.arange(100), found.background)
    return ["-" if one < 0 else found.classes[one] for one in track]


class TestKind:
    @pytest.mark.parametrize(("overlap", "several"), [(0.0, False), (0.19, False), (0.2, False), (0.3, True)])
    @pytest.mark.parametrize("unit", ["seconds", "frames"])
    def test_labels_that_overlap_for_more_than_a_fifth_of_a_second_hold_at_once(
        self, overlap: float, several: bool, unit: str
    ) -> None:
        scale = FPS if unit == "frames" else 1.0
        given = [(0.0, 5.0 * scale, "dig"), ((5.0 - overlap) * scale, 9.0 * scale, "rear")]
        found = settled(labelled(*given, unit=unit))
        assert found.several is several
        words = "several behaviours may hold at once: labels overlap for up to 0.3 s" if several else "exclude each"
        assert words in found.sentences[0]

    def test_frames_are_counted_as_the_time_that_they_last(self) -> None:
        given = labelled((0, 50, "dig"), (46, 90, "rear"), unit="frames")
        assert settled(given, fps=10.0).several and not settled(given, fps=25.0).several

    def test_the_longest_overlap_of_any_film_decides(self) -> None:
        apart, over = labelled((0, 2, "dig"), (3, 4, "rear")), labelled((0, 5, "dig"), (3, 9, "rear"))
        assert settled(apart, over).several

    def test_the_user_decides_over_the_labels(self) -> None:
        apart, over = labelled((0, 5, "dig"), (5, 9, "rear")), labelled((0, 6, "dig"), (4, 9, "rear"))
        found = settled(apart, several=True)
        assert found.several and found.sentences[0] == "several behaviours may hold at once, as you said"
        found = settled(over, several=False)
        assert not found.several and found.sentences[0] == "behaviours exclude each other, as you said"
        assert "1 overlap of labels cut at the middle" in found.sentences
        assert truth(found) == ["dig"] * 50 + ["rear"] * 40 + ["(unlabelled)"] * 10

    def test_a_long_bout_goes_on_after_a_short_one_within_it(self) -> None:
        found = settled(labelled((0, 10, "dig"), (4.0, 4.2, "bite")))
        assert not found.several
        assert truth(found) == ["dig"] * 40 + ["bite"] * 2 + ["dig"] * 58

    def test_point_events_keep_their_frame_where_behaviours_exclude_each_other(self) -> None:
        found = settled(labelled((0, 10, "dig"), (4.0, 4.0, "bite"), (7.0, 7.0, "bite")))
        assert found.classes == ("bite", "dig")
        assert truth(found) == ["bite" if frame in (40, 70) else "dig" for frame in range(100)]

    def test_several_behaviours_keep_their_overlaps(self) -> None:
        found = settled(labelled((0, 6, "dig"), (4, 9, "rear")))
        annotation = found.films[0].annotation
        assert annotation is not None
        tracks = behaviour_tracks(annotation, found.classes, np.arange(100))
        assert found.classes == ("dig", "rear") and tracks.sum(0).tolist() == [60, 50]

    def test_other_annotators_are_turned_into_frames_too(self) -> None:
        [film] = settled(labelled((0, 6, "dig"), others=[[(0, 5, "dig")], [(1, 1, "rear")]])).films
        assert [one.unit for one in film.others] == ["frames", "frames"]
        assert [(one.bouts[0].start, one.bouts[0].end) for one in film.others] == [(0, 50), (10, 11)]


class TestBackground:
    @pytest.mark.parametrize("word", ["background", "other", "Other", "BACKGROUND"])
    def test_a_class_of_that_name_is_the_background_and_gaps_are_it(self, word: str) -> None:
        found = settled(labelled((0, 5, "dig"), (5, 8, word)))
        assert found.background == word and set(found.classes) == {"dig", word}
        assert truth(found) == ["dig"] * 50 + [word] * 50
        assert any("is the background: it counts in frame accuracy only" in text for text in found.sentences)

    def test_none_is_a_class_like_any_other(self) -> None:
        found = settled(labelled((0, 5, "dig"), (5, 10, "none")))
        assert found.background is None and found.classes == ("dig", "none")

    def test_the_user_names_the_background(self) -> None:
        found = settled(labelled((0, 5, "dig"), (5, 8, "rest"), (8, 9, "other")), background="rest")
        assert found.background == "rest" and found.classes == ("dig", "other", "rest")
        with pytest.raises(DataError, match=r"--background swim: no video has that label. There are: dig, rest\."):
            settled(labelled((0, 5, "dig"), (5, 8, "rest")), background="swim")

    def test_moments_without_a_label_are_a_class_of_their_own_if_they_count(self) -> None:
        found = settled(labelled((0, 5, "dig")))
        assert found.classes == ("(unlabelled)", "dig") and found.background == "(unlabelled)"
        assert "moments without a label are the class (unlabelled)" in found.sentences
        assert truth(found) == ["dig"] * 50 + ["(unlabelled)"] * 50

    def test_without_gaps_there_is_no_further_class(self) -> None:
        found = settled(labelled((0, 5, "dig"), (5, 10, "rear")))
        assert found.classes == ("dig", "rear") and found.background is None

    def test_gaps_that_are_not_known_do_not_count(self) -> None:
        found = settled(labelled((0, 3, "dig"), (6, 8, "rear"), known=((0, 3), (6, 8))))
        assert found.classes == ("dig", "rear")
        assert truth(found) == ["dig"] * 30 + ["-"] * 30 + ["rear"] * 20 + ["-"] * 20

    def test_of_several_behaviours_the_background_is_the_absence_of_all(self) -> None:
        given = labelled((0, 5, "dig"), (2, 6, "rear"), (6, 10, "other"), others=[[(0, 1, "other"), (1, 2, "dig")]])
        found = settled(given)
        assert found.several and found.background is None and found.classes == ("dig", "rear")
        [film] = found.films
        assert film.annotation is not None
        assert {bout.label for bout in (*film.annotation.bouts, *film.others[0].bouts)} == {"dig", "rear"}

    @pytest.mark.parametrize(
        ("stretches", "known"), [([(0, 10, "dig")], None), ([(0, 5, "dig")], ((0, 5),)), ([(20, 30, "dig")], None)]
    )
    def test_one_class_is_not_enough(self, stretches: list[Stretch], known: Any) -> None:
        with pytest.raises(DataError, match=r"one class only \((dig|\(unlabelled\))\).* say --unlabelled none"):
            settled(labelled(*stretches, known=known))

    def test_one_behaviour_can_be_learnt_if_several_may_hold(self) -> None:
        assert settled(labelled((0, 5, "dig")), several=True).classes == ("dig",)
        with pytest.raises(DataError, match="name no behaviour"):
            settled(labelled((0, 5, "other")), several=True)


def test_a_film_is_known_if_one_of_its_frames_is() -> None:
    scan = scan_of()
    for known, expected in ((None, True), ((), False), (((99.0, 100.0),), True), (((100.0, 120.0),), False)):
        assert is_known(labelled((0, 5, "dig"), known=known, unit="frames"), scan) is expected


class TestCutInTime:
    @pytest.mark.parametrize("gap", [1, 4, 7, 30])
    @pytest.mark.parametrize("known", [None, ((10.0, 60.0), (70.0, 95.0))], ids=["all known", "in parts"])
    def test_no_frame_is_known_on_both_sides_and_a_window_lies_between(self, gap: int, known: Any) -> None:
        film = labelled((10, 40, "dig"), (40, 60, "rear"), (70, 95, "dig"), unit="frames", known=known)
        first, second = cut_in_time(film, scan_of(), gap)
        assert (first.part, second.part) == (Part.TRAIN, Part.VAL)
        assert first.annotation is not None and second.annotation is not None and film.annotation is not None
        frames = np.arange(100)
        trains, validates = (
            np.flatnonzero(known_frames(each, frames)) for each in (first.annotation, second.annotation)
        )
        assert len(trains) and len(validates) and validates[0] - trains[-1] > gap
        whole = np.flatnonzero(known_frames(film.annotation, frames))
        assert set(trains) | set(validates) <= set(whole)
        assert len(whole) - len(trains) - len(validates) <= gap, "no more is lost than the gap"
        for part, places in ((first, trains), (second, validates)):
            assert part.annotation is not None
            for given in (part.annotation, film.annotation):
                tracks = class_track(given, ("dig", "rear", "rest"), places, "rest")
                np.testing.assert_array_equal(
                    tracks, class_track(film.annotation, ("dig", "rear", "rest"), places, "rest")
                )
            for bout in part.annotation.bouts:
                assert places[0] <= bout.start < bout.end <= places[-1] + 1

    def test_the_last_fifth_validates(self) -> None:
        _, second = cut_in_time(labelled((0, 1000, "dig"), unit="frames"), scan_of(frames=1000), 10)
        assert second.annotation is not None and second.annotation.known is not None
        assert 190 <= 1000 - second.annotation.known[0][0] <= 200

    def test_a_film_that_is_too_short_is_refused_with_what_to_do(self) -> None:
        film = labelled((0, 100, "dig"), unit="frames", known=((0, 20),))
        with pytest.raises(
            DataError, match=r"a.avi: has 20 labelled frames, too few .* a gap of 9 frames.* Label more"
        ):
            cut_in_time(film, scan_of(), 9)
        assert len(cut_in_time(film, scan_of(), 8)) == 2
