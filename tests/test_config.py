"""The settings of a run: they read back as they were written, and a wrong setting is a sentence that names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidrnn import values
from vidrnn.config import HeadConfig, RunConfig
from vidrnn.errors import ModelError, UsageError
from vidrnn.model.metadata import ModelHeader
from vidrnn.settings import LONGEST_SHORTEST_SECONDS, LONGEST_SMOOTHING_SECONDS
from vidrnn.values import LONGEST_SECONDS, DecisionRule, Size

GIVEN = RunConfig(
    data="filme/größe.csv",
    encoder="small",
    weights="none",
    head=HeadConfig(name="lstm", size=64, layers=2, dropout=0.25, memory_frames=30),
    readout="last",
    spacing_seconds=0.04,
    height=64,
    width=96,
    flip=False,
    minutes=2.5,
    test=False,
    folds=3,
)


def refused(path: Path, text: str) -> str:
    """The sentence with which a configuration of this text is refused."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        RunConfig.read(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.toml"


@pytest.mark.parametrize("config", [RunConfig(), GIVEN], ids=["defaults", "given"])
def test_a_configuration_reads_back_as_it_was_written(file: Path, config: RunConfig) -> None:
    config.write(file)
    assert RunConfig.read(file) == config
    assert RunConfig.read(file).given == config.given, "a search that is resumed leaves the same settings as they are"
    assert RunConfig.read(file).head.model_fields_set == config.head.model_fields_set


def test_what_a_person_changes_in_the_file_of_a_run_counts_as_given(file: Path) -> None:
    RunConfig(encoder="small").write(file)
    text = file.read_text(encoding="utf-8")
    assert 'given = [\n    "encoder",\n]' in text and "members = 1" in text
    file.write_text(text.replace("members = 1", "members = 3").replace('"encoder"', '"encoder", "typo"'))
    assert RunConfig.read(file).given == {"encoder", "members"}


def test_a_person_may_write_only_what_differs(file: Path) -> None:
    file.write_text('encoder = "small"\n[head]\nname = "rnn"\n')
    config = RunConfig.read(file)
    assert config == RunConfig(encoder="small", head=HeadConfig(name="rnn"))


def test_the_readout_is_that_of_the_head_unless_it_is_given(file: Path) -> None:
    linear = HeadConfig(name="linear")
    assert (RunConfig().readout_name, RunConfig(head=linear).readout_name) == ("attention", "statistics")
    assert RunConfig(head=linear, readout="mean").readout_name == "mean"
    RunConfig(head=linear).write(file)
    assert RunConfig.read(file).readout_name == "statistics"


def test_the_size_is_known_once_both_sides_are() -> None:
    assert GIVEN.size == Size(64, 96) and RunConfig().size is None


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("epoch = 3", "epoch"),
        ("[head]\nwidth = 3", "head.width"),
        ("epochs = 0", "epochs"),
        ('epochs = "many"', "epochs"),
        ("minutes = -1", "minutes"),
        ("spacing_seconds = 0", "spacing_seconds"),
        ("minibatch = 1", "minibatch"),
        ('readout = "max"', "readout"),
        ("label_smoothing = 1.0", "label_smoothing"),
        ("seed = -1", "seed"),
        ("members = 0", "members"),
        ("members = 33", "members"),
        ("folds = 1", "folds"),
        ("[head]\nlayers = 0", "head.layers"),
        ("[head]\ndropout = 1.0", "head.dropout"),
        ("[head]\nmemory_frames = 1", "head.memory_frames"),
        ("height = 64", "give both height and width"),
        ("motion = true", "motion: value error, wanted change, difference, flow with commas between, or none"),
        ('motion = "speed"', "wanted change, difference, flow with commas between, or none, not speed"),
        ('motion = ["flow", "none"]', "or none, not flow,none"),
        ("motion_seconds = 0", "motion_seconds"),
        ("motion_seconds = 11", "motion_seconds"),
    ],
)
def test_a_wrong_setting_is_a_sentence_that_names_it(file: Path, text: str, setting: str) -> None:
    assert setting in refused(file, text)


def test_many_wrong_settings_are_counted(file: Path) -> None:
    text = refused(file, "epochs = 0\nseed = -1\nfolds = 1\nframes = 0\nminibatch = 1")
    assert "epochs" in text and text.endswith("and 2 more")


def test_what_is_not_toml_is_a_sentence(file: Path) -> None:
    assert "wanted a TOML file" in refused(file, "encoder: small\n")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="wanted a TOML file"):
        RunConfig.read(file)


def test_a_configuration_that_is_not_there_is_a_sentence(file: Path) -> None:
    with pytest.raises(UsageError, match="no such configuration file"):
        RunConfig.read(file)
    with pytest.raises(UsageError, match="wanted a TOML file"):
        RunConfig.read(file.parent)


def test_a_configuration_is_not_changed_once_it_stands() -> None:
    with pytest.raises(ValueError, match="frozen"):
        GIVEN.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format_version": 2}', "größe"])
def test_a_header_that_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(ModelError, match=r"^m: its header is damaged \(.+\)\. Copy the model again\.$"):
        ModelHeader.from_json(text, source="m")


@pytest.mark.parametrize(
    ("text", "motion"),
    [
        ("", ()),
        ('motion = "none"', ()),
        ("motion = []", ()),
        ('motion = "difference"', ("difference",)),
        ('motion = "flow, change"', ("change", "flow")),
        ('motion = ["difference", "change", "difference"]', ("change", "difference")),
    ],
)
def test_motion_is_a_list_of_names_or_a_text_of_them(file: Path, text: str, motion: tuple[str, ...]) -> None:
    file.write_text(text)
    config = RunConfig.read(file)
    assert config.motion == motion
    config.write(file)
    assert RunConfig.read(file) == config


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_as_the_file_of_settings_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="found no ordinary file"):
        RunConfig.read(tmp_path / "pipe")


def test_a_flag_and_a_decision_rule_have_the_same_longest_time() -> None:
    assert LONGEST_SHORTEST_SECONDS == LONGEST_SECONDS
    assert LONGEST_SMOOTHING_SECONDS == values.LONGEST_SMOOTHING_SECONDS
    assert DecisionRule(shortest_seconds=LONGEST_SECONDS).shortest_seconds == LONGEST_SECONDS
    with pytest.raises(ValueError, match="shortest_seconds"):
        DecisionRule(shortest_seconds=2 * LONGEST_SECONDS)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000 + "]" * 5000, "seed = " + "9" * 5000, "x = \x00"])
def test_settings_that_no_parser_takes_are_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError, match="wanted a TOML file of settings"):
        RunConfig.read(tmp_path / "config.toml")
