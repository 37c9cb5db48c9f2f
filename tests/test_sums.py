"""A seal inside a file tells each change of the file, and a sum inside a JSON object those of the object."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidrnn.sums import EMPTY_SEAL, has_right_sum, is_whole, seal, seal_in, sum_of, sum_of_file, with_sum

CONTENT = b"head \xff" + EMPTY_SEAL.encode() + b" and the rest \x00\x01"


def sealed(file: Path, content: bytes = CONTENT) -> Path:
    file.write_bytes(content)
    seal(file)
    return file


def test_a_sealed_file_is_whole_and_any_changed_bit_behind_its_word_is_told(tmp_path: Path) -> None:
    file = sealed(tmp_path / "a")
    whole = file.read_bytes()
    assert is_whole(file) and whole != CONTENT and len(whole) == len(CONTENT)
    word = range(whole.index(b"vidrnn-sum-"), whole.index(b"vidrnn-sum-") + len(b"vidrnn-sum-"))
    for place in set(range(len(whole))) - set(word):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert not is_whole(file), place


@pytest.mark.parametrize("change", [lambda whole: whole[:-1], lambda whole: whole + b"\0"], ids=["shorter", "longer"])
def test_a_file_of_another_length_is_told(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    file = sealed(tmp_path / "a")
    file.write_bytes(change(file.read_bytes()))
    assert not is_whole(file)


def test_files_that_belong_together_are_told_apart_from_others(tmp_path: Path) -> None:
    file, weights = tmp_path / "model.xml", tmp_path / "model.bin"
    file.write_bytes(CONTENT)
    weights.write_bytes(b"weights")
    seal(file, [weights])
    assert is_whole(file, [weights])
    weights.write_bytes(b"weighty")
    assert not is_whole(file, [weights])


def test_a_name_that_looks_like_a_seal_does_not_hide_the_true_one(tmp_path: Path) -> None:
    file = sealed(tmp_path / "a", CONTENT + b" a class called vidrnn-sum-" + b"7" * 32)
    assert is_whole(file)
    file.write_bytes(file.read_bytes().replace(b"the rest", b"the best"))
    assert not is_whole(file)


def test_a_file_without_a_seal_counts_as_whole_and_cannot_be_sealed(tmp_path: Path) -> None:
    file = tmp_path / "old"
    for content in (b"", b"of an earlier vidrnn"):
        file.write_bytes(content)
        assert is_whole(file) and seal_in(content) == ""
    with pytest.raises(ValueError, match="no empty seal"):
        seal(file)


def test_the_sum_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sum_of_file(tmp_path / "a") == sum_of(b"abc") and len(sum_of(b"")) == 32


def test_a_changed_json_object_is_told_and_one_without_a_sum_is_neither_right_nor_wrong() -> None:
    text = with_sum('{"a": "größe", "b": [1, 2]}')
    assert has_right_sum(text) is True and has_right_sum(text + "\n") is True
    assert has_right_sum(text.replace("[1", "[7")) is False
    assert has_right_sum('{"a": 1}') is None
