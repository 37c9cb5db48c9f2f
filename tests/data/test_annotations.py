"""Bouts in seconds become bouts in frames: a frame shows what its middle shows, and no part of a bout vanishes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.data.annotations import (
    behaviour_tracks,
    class_track,
    frame_middles,
    in_frames,
    joined_bouts,
    joined_spans,
    known_frames,
    longest_overlap,
    without_overlaps,
)
from vidrnn.values import Annotation, Bout, Floats

STEADY = np.arange(50) / 25.0
"""The times of the frames of a film of two seconds."""
UNEVEN = np.asarray([0.0, 0.02, 0.04, 0.5, 0.54, 0.9])
"""Of a film whose frames last between 0.02 and 0.46 s; it ends at 1.0."""
CLASSES = ("a", "b", "c")
Stretch = tuple[float, float, str]


def bouts(*stretches: Stretch) -> tuple[Bout, ...]:
    return tuple(Bout(*one) for one in stretches)


def stretches(found: tuple[Bout, ...]) -> list[Stretch]:
    return [(bout.start, bout.end, bout.label) for bout in found]


def framed(
    *given: Stretch, times: Floats = STEADY, end: float = 2.0, unit: Literal["seconds", "frames"] = "seconds"
) -> list[tuple[float, float]]:
    annotation = in_frames(Annotation(bouts(*given), unit=unit), times, end)
    assert annotation.unit == "frames"
    return [(bout.start, bout.end) for bout in annotation.bouts]


def random_bouts(rng: np.random.Generator, count: int, end: int = 60) -> tuple[Bout, ...]:
    """Bouts in frames, of three behaviours and two subjects, that overlap in all ways."""
    starts, lengths = rng.integers(0, end - 12, count), rng.integers(1, 12, count)
    return tuple(
        Bout(float(start), float(start + length), CLASSES[rng.integers(3)], "xy"[rng.integers(2)])
        for start, length in zip(starts, lengths, strict=True)
    )


def covered(given: tuple[Bout, ...], end: int = 60) -> NDArray[np.int64]:
    """(frames,) how many bouts cover each frame."""
    cover = np.zeros(end, dtype=np.int64)
    for bout in given:
        cover[int(bout.start) : int(bout.end)] += 1
    return cover


class TestInFrames:
    @pytest.mark.parametrize("first", [0, 7, 48, 49])
    def test_a_bout_that_begins_and_ends_with_frames_has_those_frames(self, first: int) -> None:
        assert framed((STEADY[first], STEADY[first] + 0.04, "dig")) == [(first, first + 1)]

    @pytest.mark.parametrize("times", [STEADY, UNEVEN], ids=["steady", "uneven"])
    @pytest.mark.parametrize("digits", [3, 2])
    def test_times_that_were_rounded_give_the_frames_that_they_were_rounded_from(
        self, times: Floats, digits: int
    ) -> None:
        borders = np.append(times, times[-1] + 0.04)
        for first in range(len(times)):
            for end in range(first + 1, len(borders)):
                given = (round(float(borders[first]), digits), round(float(borders[end]), digits), "dig")
                assert framed(given, times=times, end=float(borders[-1])) == [(first, end)], given

    def test_a_frame_shows_what_the_middle_of_its_time_shows(self) -> None:
        assert frame_middles(UNEVEN, 1.0).tolist() == pytest.approx([0.01, 0.03, 0.27, 0.52, 0.72, 0.95])
        for start, end in ((0.2, 0.6), (0.28, 0.8), (0.0, 0.27), (0.27, 0.28)):
            [(first, after)] = framed((start, end, "dig"), times=UNEVEN, end=1.0)
            middles = frame_middles(UNEVEN, 1.0)
            assert [first <= place < after for place in range(6)] == [start <= one < end for one in middles]

    def test_two_bouts_that_touch_share_no_frame_and_leave_none_out(self) -> None:
        for border in np.linspace(0.05, 1.95, 97).tolist():
            (_, end), (start, _) = framed((0.0, border, "dig"), (border, 2.0, "rear"))
            assert start == end, border

    def test_a_point_has_the_frame_that_is_nearest(self) -> None:
        assert framed((0.4, 0.4, "bite")) == [(10, 11)]
        assert framed((0.41, 0.41, "bite")) == [(10, 11)]
        assert framed((0.43, 0.43, "bite")) == [(11, 12)]
        assert framed((0.415, 0.417, "bite")) == [(10, 11)]
        assert framed((12.0, 12.0, "bite"), unit="frames") == [(12, 13)]

    def test_a_point_in_the_last_frame_is_not_lost(self) -> None:
        for at in (1.96, 1.97, 1.99, 1.999):
            assert framed((at, at, "bite")) == [(49, 50)], at
        assert framed((49.0, 49.0, "bite"), unit="frames") == [(49, 50)]

    @pytest.mark.parametrize("unit", ["seconds", "frames"])
    def test_bouts_are_cut_at_the_ends_of_the_film_and_left_out_beyond(
        self, unit: Literal["seconds", "frames"]
    ) -> None:
        scale = 25.0 if unit == "frames" else 1.0
        given = [(-2.0, -1.0), (-1.0, 0.4), (1.6, 9.0), (2.04, 2.4), (3.0, 3.0), (-1.0, -1.0)]
        found = framed(*((start * scale, end * scale, "dig") for start, end in given), unit=unit)
        assert found == [(0, 10), (40, 50)]

    def test_labels_before_a_film_that_begins_late_do_not_fall_on_its_first_frame(self) -> None:
        late = STEADY + 5.0
        assert framed((1.0, 2.0, "dig"), (4.0, 4.0, "bite"), times=late, end=7.0) == []
        assert framed((4.99, 4.99, "bite"), times=late, end=7.0) == [(0, 1)], "a time rounded to the first frame"

    def test_the_parts_that_are_known_are_turned_as_bouts_are(self) -> None:
        spans = ((-3.0, -2.0), (-1.0, 0.2), (0.8, 0.8), (1.9, 5.0), (6.0, 7.0))
        assert in_frames(Annotation((), spans), STEADY, 2.0).known == ((0, 5), (20, 21), (47, 50))
        assert in_frames(Annotation((), None), STEADY, 2.0).known is None

    def test_what_is_in_frames_already_stays_as_it_is(self) -> None:
        once = in_frames(Annotation(bouts((0.1, 0.5, "dig"), (1.0, 1.0, "bite")), ((0.0, 1.5),)), STEADY, 2.0)
        assert in_frames(once, STEADY, 2.0) == once


class TestTracks:
    FRAMES = np.arange(10)

    def test_moments_without_a_bout_are_background_where_they_are_known(self) -> None:
        annotation = Annotation(bouts((2, 4, "dig"), (6, 7, "swim")), ((1, 8),), "frames")
        track = class_track(annotation, ("dig", "none"), self.FRAMES, "none")
        assert track.tolist() == [-1, 1, 0, 0, 1, 1, -1, 1, -1, -1]
        unknown = class_track(annotation, ("dig", "rear"), self.FRAMES, None)
        assert unknown.tolist() == [-1, -1, 0, 0, -1, -1, -1, -1, -1, -1]
        assert known_frames(annotation, self.FRAMES).sum() == 7

    def test_several_behaviours_are_unknown_outside_of_what_is_known(self) -> None:
        annotation = Annotation(bouts((2, 5, "dig"), (4, 6, "rear"), (3, 4, "swim")), ((1, 7),), "frames")
        tracks = behaviour_tracks(annotation, ("dig", "rear"), self.FRAMES)
        assert np.isnan(tracks).all(1).tolist() == [True] + [False] * 6 + [True] * 3
        assert tracks[1:7].T.tolist() == [[0, 1, 1, 1, 0, 0], [0, 0, 0, 1, 1, 0]]

    def test_a_track_at_some_frames_is_that_part_of_the_whole(self) -> None:
        rng = np.random.default_rng(0)
        annotation = Annotation(random_bouts(rng, 12), ((5, 40), (45, 58)), "frames")
        some = np.sort(rng.integers(0, 60, 30))
        for whole, part in (
            (class_track(annotation, CLASSES, np.arange(60)), class_track(annotation, CLASSES, some)),
            (behaviour_tracks(annotation, CLASSES, np.arange(60)), behaviour_tracks(annotation, CLASSES, some)),
        ):
            np.testing.assert_array_equal(whole[some], part)

    def test_cutting_overlaps_beforehand_changes_no_track(self) -> None:
        """Training cuts overlaps once; `vidrnn evaluate` reads labels as they are. Both have one truth."""
        for seed in range(30):
            given = random_bouts(np.random.default_rng(seed), 10)
            raw, cut = Annotation(given, unit="frames"), Annotation(without_overlaps(given)[0], unit="frames")
            np.testing.assert_array_equal(
                class_track(raw, CLASSES, np.arange(60)), class_track(cut, CLASSES, np.arange(60))
            )


class TestJoining:
    def test_bouts_of_one_behaviour_and_subject_that_overlap_or_touch_are_one(self) -> None:
        given = (*bouts((5, 8, "dig"), (0, 2, "dig"), (2, 3, "dig"), (7, 9, "dig"), (1, 6, "rear")),)
        joined, overlaps = joined_bouts(given)
        assert stretches(joined) == [(0, 3, "dig"), (1, 6, "rear"), (5, 9, "dig")]
        assert overlaps == 1, "bouts that touch do not overlap"

    def test_a_bout_within_another_one_of_the_same_behaviour_does_not_shorten_it(self) -> None:
        joined, overlaps = joined_bouts(bouts((0, 10, "dig"), (2, 3, "dig"), (9, 12, "dig")))
        assert (stretches(joined), overlaps) == ([(0, 12, "dig")], 2)

    def test_subjects_stay_apart(self) -> None:
        joined, overlaps = joined_bouts([Bout(0, 4, "dig", "a"), Bout(2, 6, "dig", "b"), Bout(3, 5, "dig", "a")])
        assert [(bout.start, bout.end, bout.subject) for bout in joined] == [(0, 5, "a"), (2, 6, "b")]
        assert overlaps == 1

    def test_spans_are_joined_alike(self) -> None:
        assert joined_spans([(5, 6), (0, 2), (2, 3), (5.5, 5.7)]) == ((0, 3), (5, 6))
        assert joined_spans([]) == ()


class TestOverlaps:
    @pytest.mark.parametrize(
        ("given", "longest"),
        [
            ([(0, 4, "a"), (4, 6, "b")], 0),
            ([(0, 4, "a"), (3, 6, "b")], 1),
            ([(0, 9, "a"), (1, 3, "b"), (4, 4.5, "b")], 2),
            ([(0, 9, "a"), (1, 8, "a")], 0),
            ([(0, 20, "a"), (1, 2, "b"), (5, 9, "c")], 4),
            ([], 0),
        ],
    )
    def test_the_longest_overlap_of_two_different_behaviours(self, given: list[Any], longest: float) -> None:
        for order in (given, given[::-1]):
            assert longest_overlap(bouts(*order)) == longest

    @pytest.mark.parametrize(
        ("given", "cut", "count"),
        [
            ([(0, 4, "a"), (4, 8, "b")], [(0, 4, "a"), (4, 8, "b")], 0),
            ([(0, 6, "a"), (4, 9, "b")], [(0, 5, "a"), (5, 9, "b")], 1),
            ([(0, 100, "a"), (40, 42, "b")], [(0, 40, "a"), (40, 42, "b"), (42, 100, "a")], 1),
            (
                [(0, 90, "a"), (10, 12, "b"), (50, 52, "c")],
                [(0, 10, "a"), (10, 12, "b"), (12, 50, "a"), (50, 52, "c"), (52, 90, "a")],
                2,
            ),
            (
                [(0, 90, "a"), (10, 20, "b"), (14, 30, "c")],
                [(0, 10, "a"), (10, 17, "b"), (17, 30, "c"), (30, 90, "a")],
                2,
            ),
            ([(0, 9, "a"), (0, 2, "b")], [(0, 2, "b"), (2, 9, "a")], 1),
            ([(0, 9, "a"), (7, 9, "b")], [(0, 7, "a"), (7, 9, "b")], 1),
            ([(0, 8, "a"), (0, 8, "b")], [(0, 4, "a"), (4, 8, "b")], 1),
            ([], [], 0),
        ],
        ids=["touching", "cut at the middle", "within", "two within", "within, cut", "start", "end", "same", "none"],
    )
    def test_a_bout_within_a_longer_one_stays_and_the_longer_one_goes_on_after_it(
        self, given: list[Stretch], cut: list[Stretch], count: int
    ) -> None:
        found, overlaps = without_overlaps(bouts(*given))
        assert (stretches(found), overlaps) == (cut, count)
        assert without_overlaps(found) == (found, 0)

    @pytest.mark.parametrize("seed", range(40))
    def test_no_two_overlap_afterwards_and_every_frame_that_showed_something_still_does(self, seed: int) -> None:
        given = random_bouts(np.random.default_rng(seed), 14)
        found, overlaps = without_overlaps(given)
        assert covered(found).max() == 1
        np.testing.assert_array_equal(covered(found) > 0, covered(given) > 0)
        assert list(found) == sorted(found, key=lambda one: one.start) and overlaps > 0
        for bout in found:  # and each shows a behaviour that was seen there
            for frame in range(int(bout.start), int(bout.end)):
                assert any(one.start <= frame < one.end and one.label == bout.label for one in given)

    def test_two_subjects_that_do_the_same_are_no_overlap(self) -> None:
        found, overlaps = without_overlaps([Bout(0, 10, "dig", "a"), Bout(3, 5, "dig", "b"), Bout(8, 14, "dig", "b")])
        assert (stretches(found), overlaps) == ([(0, 14, "dig")], 0)
