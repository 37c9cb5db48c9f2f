"""Arrays in files behave as arrays, and read what is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidrnn.data.stored.mapped import MappedArray, OpenMaps, memory_to_spend

WHOLE = np.arange(2 * 6 * 4, dtype=np.float32).reshape(2, 6, 4)


def mapped(whole: NDArray[Any] = WHOLE, loaded: list[int] | None = None, name: str = "a") -> Any:
    def load() -> NDArray[Any]:
        if loaded is not None:
            loaded.append(1)
        return whole

    return MappedArray(name, load, whole.shape, whole.dtype)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidrnn.data.stored.mapped.OPEN_MAPS", OpenMaps(3))


@pytest.mark.parametrize(
    "index",
    [0, -1, np.int64(1), slice(1), slice(None, None, 2), None, (0, 2), (slice(1), slice(None, None, 2)), (0, ..., 1)],
    ids=str,
)
def test_a_part_by_numbers_and_slices_has_its_shape_and_reads_nothing(index: Any) -> None:
    loaded: list[int] = []
    part, wanted = mapped(loaded=loaded)[index], WHOLE[index]
    assert (part.shape, part.ndim, len(part)) == (wanted.shape, wanted.ndim, len(wanted)) and not loaded
    assert np.array_equal(np.asarray(part), wanted) and loaded == [1]


def test_an_index_of_places_reads_what_it_selects() -> None:
    found = mapped()[1][np.array([4, 0])]
    assert type(found) is np.ndarray and np.array_equal(found, WHOLE[1][[4, 0]])
    assert np.array_equal(mapped()[:, [1, 2]], WHOLE[:, [1, 2]])


def test_what_arrays_can_do_it_can_do() -> None:
    one = mapped()[0]
    assert np.array_equal(one + 1, WHOLE[0] + 1) and np.array_equal(1 - one, 1 - WHOLE[0]) and (one <= 3).sum() == 4
    assert one.mean() == WHOLE[0].mean() and one.astype(np.int64).dtype == np.int64
    assert np.array_equal(np.stack([one, one]), WHOLE[[0, 0]]) and np.array_equal(list(one)[2], WHOLE[0, 2])
    assert np.array_equal(np.require(one, requirements=["C", "W"]), WHOLE[0])
    assert np.array_equal(np.random.default_rng(0).permutation(one), np.random.default_rng(0).permutation(WHOLE[0]))


def test_few_maps_are_open_at_once() -> None:
    loaded: list[int] = []
    arrays = [mapped(loaded=loaded, name=name) for name in "abcd"]
    for one in (*arrays[:3], arrays[0], arrays[3], arrays[0]):
        one.sum()
    assert len(loaded) == 4, "the one that was read last stays open"
    arrays[1].sum()
    assert len(loaded) == 5


def test_the_memory_to_spend_is_within_what_the_container_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:   8000000 kB\n")
    monkeypatch.setattr("vidrnn.data.stored.mapped._SYSTEM_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr("vidrnn.data.stored.mapped._CONTAINER", tmp_path)
    assert memory_to_spend() == 2_048_000_000
    for name, text in (("memory.max", "4000000\n"), ("memory.current", "1000000\n")):
        (tmp_path / name).write_text(text)
    assert memory_to_spend() == 750_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_to_spend() == 2_048_000_000
