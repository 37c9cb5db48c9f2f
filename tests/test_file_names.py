"""Names of files are the same on Linux, macOS and Windows, whatever a film is called."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest

from vidrnn.file_names import apart, native_path, portable_name, portable_path

ORDINARY = (
    "one.mp4",
    "a film (2).avi",
    "Größe.mp4",
    "北京.webm",
    ".hidden",
    "a.b.c",
    "x~1.mp4",
    "common.mp4",
    "auxiliary",
)
REFUSED = {
    "a:b.mp4": "a_b~",
    "what?.mp4": "what_~",
    'a<b>c"d|e*f\\g.mp4': "a_b_c_d_e_f_g~",
    "tab\there.mp4": "tab_here~",
    "ends with a dot.": "ends with a dot_~",
    "ends with a space ": "ends with a space_~",
    "aux.mp4": "_aux~",
    "NUL": "_NUL~",
    "Com1.tar.gz": "_Com1.tar~",
    "lpt\u00b2.avi": "_lpt\u00b2~",
    "CON .mp4": "_CON ~",
    "no\udcfftext.mp4": "no_text~",
}


def is_taken_by_windows(name: str) -> bool:
    """Whether Windows makes a file of this name and no other, as Microsoft's page on naming files has it."""
    letters = not any(letter in '<>:"/\\|?*' or ord(letter) < 32 for letter in name)
    return letters and name[-1] not in " ." and not PureWindowsPath(name).is_reserved()


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert portable_name(name) == name


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_some_system_refuses_is_changed_once(name: str) -> None:
    changed = portable_name(name)
    assert changed.startswith(REFUSED[name])
    assert is_taken_by_windows(changed) and changed.isprintable() and changed.encode()
    assert portable_name(changed) == changed, "a result is found again by its own name"
    assert PurePosixPath(changed).suffix == PurePosixPath(name.rstrip(". ")).suffix, "its suffix tells what it is"


def test_names_that_change_into_one_stay_apart() -> None:
    assert len({portable_name(name) for name in ("a?.mp4", "a*.mp4", "a_.mp4", "a:.mp4")}) == 4


@pytest.mark.parametrize("letter", ["a", "é", "北", "🏃"])
def test_a_long_name_fits_every_system_with_its_suffix(letter: str) -> None:
    one, other = (portable_name(f"{letter * 250}{end}.mp4") for end in "xy")
    assert one != other and one.endswith(".mp4")
    for name in (one, other):
        beside = f".part-{name}.labelstudio.json"
        assert len(beside.encode()) <= 255 and len(beside.encode("utf-16-le")) // 2 <= 255
        assert portable_name(name) == name


def test_two_spellings_of_an_accent_are_one_name() -> None:
    composed, apart_ = "\u00e4.mp4", "a\u0308.mp4"
    assert portable_name(composed) == portable_name(apart_) == composed
    assert set(apart([composed, "b.mp4", apart_])) == {composed, apart_}


def test_folders_of_a_path_are_portable_too() -> None:
    path = portable_path("con/run./one.mp4")
    assert [part[:4] for part in path.split("/")] == ["_con", "run_", "one."]
    assert portable_path("a/b/one.mp4") == "a/b/one.mp4"


def test_files_that_a_system_takes_for_one_get_names_of_their_own() -> None:
    paths = ["A/one.mp4", "a/One.mp4", "a/two.mp4", "a/one.mp4"]
    places = apart(paths)
    assert set(places) == {*paths} - {"a/two.mp4"}
    names = [unicodedata.normalize("NFC", place).casefold() for place in places.values()]
    assert len(set(names)) == 3
    assert all(portable_path(place) == place for place in places.values())
    assert apart(["a/one.mp4", "b/one.mp4", "a/one.avi"]) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="asks for the path of another system")
def test_a_name_never_becomes_a_path() -> None:
    for name in ("..", ".", "C:x", r"\\server\share", "a\\..\\b"):
        assert PureWindowsPath(portable_name(name)).parts == (portable_name(name),)
        assert ".." not in PureWindowsPath(portable_name(name)).parts


# --- names that OpenCV opens


def test_a_path_is_given_whole_where_names_are_utf_8(tmp_path: Path) -> None:
    assert native_path(tmp_path / "größe.mp4", "linux") == str(tmp_path / "größe.mp4")
    assert Path(native_path(Path("a:b.mp4"), "darwin")).is_absolute()


def test_windows_gives_the_short_name_of_a_name_that_its_code_page_may_lack(tmp_path: Path) -> None:
    asked = []

    def short(path: str) -> str:
        asked.append(path)
        return r"C:\F\FILM~1.MP4"

    assert native_path(tmp_path / "film.mp4", "win32", short) == str(tmp_path / "film.mp4") and not asked
    assert native_path(tmp_path / "北京.mp4", "win32", short) == r"C:\F\FILM~1.MP4"
    assert asked == [str(tmp_path / "北京.mp4")]


def test_the_path_stays_where_the_disk_keeps_no_short_names(tmp_path: Path) -> None:
    assert native_path(tmp_path / "北京.mp4", "win32", lambda path: "") == str(tmp_path / "北京.mp4")
