"""The pages hold what they show: links, flags, programs and numbers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_packaging import ROOT

import vidrnn
from vidrnn.batch import work
from vidrnn.compare import comparison
from vidrnn.config import HeadConfig, RunConfig
from vidrnn.data import cache as feature_cache
from vidrnn.data.listing.own_results import RECORD_FORMAT
from vidrnn.data.stored import scan_store
from vidrnn.model.checkpoint import CHECKPOINT_FORMAT
from vidrnn.outputs.base import Answered, prediction_json
from vidrnn.settings import PredictConfig
from vidrnn.train import run
from vidrnn.values import FORMAT_VERSION, AnswerSpec

DOCS = ROOT / "docs"
DEPLOY = DOCS / "deploy.md"
MOVES = ROOT / "models" / "moves"
DAY = ROOT / "sample_videos" / "a_day.webm"

VERBS = (
    *("check", "train", "labels", "predict", "explain", "live", "next-frame", "compare", "report", "scale"),
    *("benchmarks", "formats"),
)
"""Pages that begin with the command that most people want, and its output."""
PAGES = (*VERBS, "install", "heads", "deploy", "python", "trust", "architecture")
OTHERS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "models/README.md", "sample_videos/README.md")
TEXTS = [*(ROOT / name for name in OTHERS), *(DOCS / f"{page}.md" for page in PAGES)]
COMMANDS = ("check", "train", "labels", "predict", "evaluate", "compare", "report", "export", "info", "cache")
OLD_WORDS = re.compile(r"\b(films?|foret\w+|unusual\w*|painte[dr]\w*|told)\b", re.IGNORECASE)

page_of = pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.relative_to(ROOT).as_posix())


def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def blocks(text: str) -> list[str]:
    """What stands between fences, and lines that are indented by four."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [*fenced, *re.findall(r"^    .*$", without_fences(text), re.MULTILINE)]


def without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """Without code, comments and addresses of links."""
    text = re.sub(r"^    .*$", "", without_fences(text), flags=re.MULTILINE)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)


def anchors(file: Path) -> set[str]:
    """The names by which headings can be linked to, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", without_fences(text_of(file)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@cache
def flags_of(command: str) -> frozenset[str]:
    """The flags that the command's help shows."""
    line = [sys.executable, "-m", "vidrnn", command, "--help"]
    environment = {**os.environ, "COLUMNS": "300", "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout
    return frozenset(re.findall(r"--[a-z][a-z-]*", shown))


def flags_used(text: str) -> Iterator[tuple[str, str]]:
    """Each command that stands in code with each of its flags."""
    code = [*"\n".join(blocks(text)).splitlines(), *re.findall(r"`([^`\n]+)`", without_fences(text))]
    for line in code:
        for command, rest in re.findall(r"(?<![\w/.])vidrnn (\w+)([^|#;]*)", line):
            yield from ((command, flag) for flag in re.findall(r"(?<=\s)--[a-z][a-z-]*", rest))


def run_block(block: str, **names: Any) -> dict[str, Any]:
    """The names after a program of a page was run."""
    exec(compile(block, "a page", "exec"), names)
    return names


def programs(file: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text_of(file), re.DOTALL | re.MULTILINE)


# Every page


def test_there_is_every_page_and_no_other() -> None:
    assert {file.stem for file in DOCS.glob("*.md")} == {*PAGES}


@page_of
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(file)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        aimed = (file.parent / path).resolve() if path else file
        assert aimed.exists(), f"{target}: there is no such file"
        assert not anchor or anchor in anchors(aimed), f"{target}: the page has no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_the_readme_leads_to_the_page(page: str) -> None:
    assert f"(docs/{page}.md" in text_of(ROOT / "README.md")


@pytest.mark.parametrize("page", VERBS)
def test_a_page_begins_with_a_command_and_its_output(page: str) -> None:
    title, block, *_ = text_of(DOCS / f"{page}.md").split("\n\n")
    assert title.startswith("# ")
    assert re.match(r"```\n\$ (vidrnn|make) ", block)


@page_of
def test_flags_exist(file: Path) -> None:
    text = text_of(file)
    wrong = {f"vidrnn {command} {flag}" for command, flag in flags_used(text) if flag not in flags_of(command)}
    known = frozenset().union(*map(flags_of, COMMANDS))
    named = re.findall(r"`(--[a-z][a-z-]*)", without_fences(text))
    assert not wrong | {flag for flag in named if flag not in known}


def test_flags_are_looked_for_where_commands_stand() -> None:
    text = "`vidrnn train DATA --head gru` and\n\n    vidrnn predict 0 --show  # not --this\n"
    assert {*flags_used(text)} == {("train", "--head"), ("predict", "--show")}


def test_every_flag_stands_in_a_page() -> None:
    named = {flag for file in TEXTS for flag in re.findall(r"--[a-z][a-z-]*", text_of(file))}
    shown = frozenset().union(*map(flags_of, COMMANDS))
    opposites = {flag for flag in shown if flag.startswith("--no-") and flag.replace("--no-", "--") in named}
    assert shown - named <= {"--help", "--version"} | opposites


@page_of
def test_scripts_exist(file: Path) -> None:
    for script in re.findall(r"(?:benchmarks|examples|sample_videos)/\w+\.\w+", text_of(file)):
        assert (ROOT / script).exists(), script


@page_of
def test_the_words_are_those_of_the_field(file: Path) -> None:
    if file.stem in {"architecture", "CONTRIBUTING"}:
        pytest.skip("is about the code, where the word is film")
    assert not OLD_WORDS.findall(prose(text_of(file)))


# Programs


@pytest.mark.parametrize("file", [ROOT / "README.md", DOCS / "python.md"], ids=lambda file: file.name)
def test_the_python_of_a_page_runs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block, *more = [
        block.replace("models/actions", str(MOVES)).replace("match.mp4", str(DAY)) for block in programs(file)
    ]
    names = run_block(block)
    assert capsys.readouterr().out.count("walk-") >= 4
    for block in more:
        names = run_block(block, **names, pixels=np.zeros((84, 112, 3), np.uint8), seconds=0.0)
        assert names["end"].label in names["answer"].classes


def test_the_head_that_contributing_shows_streams() -> None:
    names = run_block(programs(ROOT / "CONTRIBUTING.md")[0])
    head = names["FadingHead"](6, HeadConfig(size=5)).eval()
    clip = torch.randn(2, 9, 6)
    first, state = head(clip[:, :4])
    second, _ = head(clip[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), head(clip)[0])


def test_the_output_that_contributing_shows_writes_the_timeline(tmp_path: Path) -> None:
    names = run_block(programs(ROOT / "CONTRIBUTING.md")[1])
    prediction = vidrnn.load(MOVES).predict(DAY)
    file = tmp_path / "labels.txt"
    names["AudacityLabels"]().write(Answered(DAY, DAY.name, prediction, "moves"), file)
    labels = [line.split("\t")[2] for line in text_of(file).splitlines()]
    assert labels == [segment.label for segment in prediction.segments]


def test_the_task_that_contributing_shows_reads_labels_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = run_block(programs(ROOT / "CONTRIBUTING.md")[2])["Behaviour"]()
    rows = [f"{DAY},{frame},{'dig' if frame < 5 else 'rest'}" for frame in range(360)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,frame,label", *rows]))
    (film,) = task.read(tmp_path / "labels.csv", to_train=True).films
    assert task.target(
        film, AnswerSpec("behaviour", "one", "frame", ("dig", "rest")), np.array([0, 4, 5])
    ).tolist() == [0, 0, 1]
    assert task.settings <= {*RunConfig.model_fields, *PredictConfig.__dataclass_fields__}
    monkeypatch.setattr("vidrnn.predict.predictor.task_named", lambda _: task)
    prediction = vidrnn.load(MOVES).predict(DAY)
    assert prediction.label is None and len(prediction.segments) > 10
    assert set(prediction_json("day", prediction)) == {"path", *task.columns}


# Formats


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("model header", FORMAT_VERSION),
        ("cache of frames and features", feature_cache._FORMAT),
        ("scans of videos", scan_store.FORMAT),
        ("batch record", RECORD_FORMAT),
        ("answers", work.ANSWERS_VERSION),
        ("run", run._MARK["vidrnn_run"]),
        ("training checkpoint", CHECKPOINT_FORMAT),
        ("comparison", comparison._FORMAT),
    ],
)
def test_the_page_of_formats_has_the_numbers_of_the_code(what: str, number: int) -> None:
    (row,) = re.findall(rf"^\| {what}\b.*\| (\d+) \|$", text_of(DOCS / "formats.md"), re.MULTILINE)
    assert int(row) == number


# deploy.md


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that the page shows, as a file outside of the repository."""
    (text,) = re.findall(r"```python\n(.*?)```", DEPLOY.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in text.splitlines() if line.strip()]) <= 30
    assert set(re.findall(r"^import (\w+)", text, re.MULTILINE)) == {"json", "sys", "cv2", "numpy", "onnxruntime"}
    file = tmp_path_factory.mktemp("deploy") / "deploy.py"
    file.write_text(text, encoding="utf-8")
    return file


def printed_by(program: Path, film: Path) -> list[tuple[str, float]]:
    """What the program prints: names and probabilities."""
    command = [sys.executable, program, MOVES / "model.onnx", film]
    done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, timeout=60, check=True)
    return [(label, float(share)) for *_, label, share in map(str.split, done.stdout.splitlines())]


@pytest.mark.parametrize("name", ["walk-left/figure01_01", "sit-down/figure08_02"])
def test_the_program_of_the_page_answers_as_vidrnn_does(program: Path, name: str) -> None:
    film = ROOT / "sample_videos" / f"{name}.webm"
    found, expected = printed_by(program, film), vidrnn.load(MOVES).predict(film)
    if len(found) == 1:
        assert found == [(expected.label, pytest.approx(expected.probability, abs=1e-3))]
    assert found[0][0] == expected.label


@pytest.mark.parametrize("name", ["walk-left/figure01_01", "sit-down/figure08_02"])
def test_the_program_of_the_page_reads_a_film_without_time_stamps_as_vidrnn_does(
    program: Path, name: str, tmp_path: Path, ffmpeg: Callable[..., None]
) -> None:
    film, raw = ROOT / "sample_videos" / f"{name}.webm", tmp_path / "raw.h264"
    ffmpeg("-i", film, "-r", "25", "-c:v", "libx264", "-crf", "1", raw)
    expected = vidrnn.load(MOVES).predict(raw)
    assert any("no time stamps" in note for note in expected.notes)
    label, share = printed_by(program, raw)[0]
    assert label == expected.label
    if expected.timeline is not None and len(expected.timeline.seconds) <= 16:  # one window
        assert share == pytest.approx(expected.probability, abs=1e-3)


def test_the_program_of_the_page_reads_a_long_film_to_its_end(program: Path) -> None:
    found = printed_by(program, ROOT / "sample_videos" / "a_day.webm")
    assert len(found) > 10
    assert {label for label, _ in found} >= {"walk-left", "walk-right"}


def test_the_page_names_what_every_file_holds() -> None:
    from vidrnn.model.portable import HEAD_KEY, OUTPUTS_KEY, STATE_KEY, STREAMS_KEY
    from vidrnn.model.whole import WEIGHTS_SEAL_KEY
    from vidrnn.runtimes.onnx import OnnxRuntime
    from vidrnn.sums import SEAL_KEY

    page = DEPLOY.read_text(encoding="utf-8")
    metadata = OnnxRuntime.open(MOVES / "model.onnx").metadata
    assert set(metadata) == {"vidrnn", STATE_KEY, STREAMS_KEY, HEAD_KEY, OUTPUTS_KEY, SEAL_KEY, WEIGHTS_SEAL_KEY}
    assert all(f"`{key}`" in page for key in metadata)


def test_the_page_describes_the_file_of_a_model_of_the_next_frames() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(ROOT / "models" / "next" / "model.onnx")
    shapes = {one.name: one.shape for one in (*session.get_inputs(), *session.get_outputs())}
    assert shapes["frames"] == ["batch", 1, 64, 85, 3] and shapes["next"] == ["batch", 1, 64, 85, 3]
    page = " ".join(text_of(DEPLOY).split())
    assert "`frames`, uint8 (batch, 1, height, width, 3)" in page
    assert "`next`, (batch, 1, height, width, channels) in [0, 1]" in page


def test_the_packages_of_the_page_are_enough_to_read_videos(tmp_path: Path) -> None:
    assert "    pip install -r requirements-predict.txt\n    pip install av " in text_of(DEPLOY)
    small = text_of(ROOT / "requirements-predict.txt").replace("-headless", "")
    listed = ["av", *re.findall(r"^[\w-]+", small, re.MULTILINE)]
    project = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]
    needed = {re.split(r"[^\w-]", need)[0] for need in project["dependencies"]}
    assert {*listed} < needed
    blocked = sorted(name.replace("-", "_") for name in needed - {*listed})
    assert "torch" in blocked
    program = (
        f"import sys\nsys.modules.update(dict.fromkeys({blocked}))\n"
        "from vidrnn.cli import run\nrun()"  # a module that is None cannot be imported
    )
    model = shutil.copy(MOVES / "model.onnx", tmp_path)
    film = ROOT / "sample_videos" / "walk-left" / "figure01_01.webm"
    typed = ["predict", film, "--model", model, "--out", tmp_path / "out", "--format", "jsonl,video", "--jobs", "1"]
    for arguments in (["predict", film, "--model", model], typed, ["info", model], ["info", film]):
        subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, check=True, timeout=60)
    assert (tmp_path / "out" / "figure01_01.webm.video.webm").is_file()
