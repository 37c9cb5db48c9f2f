"""Very many films that a model has seen are stored in few bytes, and are known all the same."""

from __future__ import annotations

import json
from hashlib import blake2b

import pytest
from timeline.test_windows import runtime

from vidrnn.config import HeadConfig
from vidrnn.errors import ModelError
from vidrnn.model.metadata import ModelHeader
from vidrnn.model.seen import MANY
from vidrnn.values import Part


def films(count: int) -> dict[str, Part]:
    names = (blake2b(str(place).encode(), digest_size=16).hexdigest() for place in range(count))
    return {name: list(Part)[place % 3] for place, name in enumerate(names)}


def header(seen: dict[str, Part]) -> ModelHeader:
    return runtime(HeadConfig(name="gru")).header.model_copy(update={"seen": seen})


def test_very_many_films_take_few_bytes_and_each_is_known() -> None:
    seen = films(MANY + 2)
    text = header(seen).to_json()
    assert len(text) < 12 * len(seen) + 5000
    again = ModelHeader.from_json(text, "x")
    assert len(again.seen) == len(seen)
    assert {name: again.seen.get(name) for name in seen} == seen
    assert again.seen.get("0" * 32) is None
    assert again.to_json() == text, "a model that is exported again knows them still"
    assert sorted(again.seen.values()) == sorted(seen.values())


def test_few_films_are_stored_by_their_whole_hashes() -> None:
    seen = films(5)
    assert json.loads(header(seen).to_json())["seen"] == seen
    assert ModelHeader.from_json(header(seen).to_json(), "x").seen == seen
    assert ModelHeader.from_json(header({}).to_json(), "x").seen == {}


@pytest.mark.parametrize("damage", [{"train": "%%%"}, {"train": "AAA="}, {"ab": "learnt"}, [], {"train": 3}, None])
def test_damage_is_a_sentence(damage: object) -> None:
    stored = json.loads(header(films(5)).to_json())
    stored["seen"] = damage
    with pytest.raises(ModelError, match="its header is damaged"):
        ModelHeader.from_json(json.dumps(stored), "x")
