"""The errors of vidrnn: what counts as a lack of memory."""

from __future__ import annotations

import errno

import cv2
import numpy as np
import pytest

from vidrnn.errors import FilmError, ModelError, OutOfMemoryError, first_line, is_memory_shortage


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("a.mp4: memory ran out."),
        OSError(errno.ENOMEM, "Cannot allocate memory", "a.mp4"),
        RuntimeError("DefaultCPUAllocator: not enough memory"),
    ],
)
def test_a_lack_of_memory_is_known_by_its_kind_or_by_the_words_of_libraries(error: Exception) -> None:
    assert is_memory_shortage(error)


def test_opencv_says_in_words_that_memory_ran_out() -> None:
    with pytest.raises(cv2.error) as caught:
        cv2.resize(np.zeros((2, 2), np.uint8), (2_000_000_000, 2_000_000))
    assert is_memory_shortage(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        FilmError("out of memory.mp4: is cut short."),
        ModelError("out of memory/model.onnx: damaged."),
        FileNotFoundError(errno.ENOENT, "No such file", "out of memory.mp4"),
    ],
)
def test_the_name_of_a_file_is_no_lack_of_memory(error: Exception) -> None:
    assert not is_memory_shortage(error)


def test_the_first_line_of_an_error_stands_for_it() -> None:
    assert first_line(ValueError("not enough data.\nmore")) == "not enough data"
    assert first_line(ValueError()) == "ValueError"
