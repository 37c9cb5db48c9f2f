"""The window: what stands in it can be read, and where there is no screen a sentence says so."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator

import numpy as np
import pytest

from vidrnn.errors import UsageError
from vidrnn.live.screen import Screen, captioned
from vidrnn.values import Answer, Now

ANSWER = Now(Answer(1.0, "sit-down", 0.75, ("sit-down",), (0.75,)), 0)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (240, 320), (1080, 1920), (1920, 1080), (2160, 3840)])
def test_the_picture_fits_a_screen_and_keeps_its_shape_with_words_below_it(height: int, width: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    shown, empty = captioned(picture, "sit-down", 0.75), captioned(picture, "", 0.0)
    assert 300 <= shown.shape[1] <= 1280 and shown.shape[0] < 900
    picture_height = round(shown.shape[1] * height / width)
    words, bar = slice(picture_height, shown.shape[0] - 8), slice(shown.shape[0] - 5, None)
    assert not shown[: picture_height - 1].any()
    written = np.any(shown[words] != empty[words], axis=2)
    assert written.sum() > 300 and written.any(axis=1).sum() > 8, "letters of eight pixels and more can be read"
    full = np.any(shown[bar] != empty[bar], axis=2).all(axis=0)
    assert full.mean() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(("height", "width"), [(1, 5000), (5000, 1), (1, 1)])
def test_a_picture_of_any_shape_can_be_shown(height: int, width: int) -> None:
    shown = captioned(np.zeros((height, width, 3), np.uint8), "sit-down", 0.75)
    assert 0 < shown.shape[1] <= 1280 and 1 < shown.shape[0] < 900


def test_without_a_screen_a_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(UsageError, match="no screen here"):
        Screen("film")
    monkeypatch.setenv("DISPLAY", ":nowhere")
    with pytest.raises(UsageError, match="no window can be opened"):
        Screen("film")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A screen that nobody looks at; the test is skipped where there is none to be had."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("Xvfb is not installed")
    server = subprocess.Popen([program, "-displayfd", "1", "-screen", "0", "800x600x24"], stdout=-1, stderr=-3)
    assert server.stdout is not None
    monkeypatch.setenv("DISPLAY", f":{int(server.stdout.readline())}")
    yield
    server.kill()
    server.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("screen")
def test_a_window_is_open_until_it_is_closed() -> None:
    picture = np.full((240, 320, 3), 200, np.uint8)
    with Screen("camera 0") as window:
        for _ in range(10):
            assert not window.closed_after(picture, ANSWER)
            time.sleep(0.02)
    assert window.closed_after(None, None)
