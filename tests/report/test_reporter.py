"""The page of a run, for each kind of model: what stands on it, and what it never needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import TinyRun, followed

from vidrnn.data.films import content_hash
from vidrnn.errors import RunError, UsageError
from vidrnn.events import Note
from vidrnn.model.header import find_weights, read_header
from vidrnn.report.reporter import ReportRequest, report
from vidrnn.values import Part

TITLES = {
    "reported": ["Verdict", "Does time help?", "Confusion", "The worst clips", "Precision and recall"],
    "reported_acts": ["Verdict", "Does time help?", "Ethograms", "Counts and durations", "Suspect labels"],
    "reported_frames": ["Verdict", "How far ahead?", "Anomalies", "What was run"],
}
LARGEST = 5_000_000


class Reader(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def page_of(run: TinyRun) -> str:
    return (run.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TITLES)
def test_a_training_ends_by_writing_a_page_that_stands_alone(name: str, request: pytest.FixtureRequest) -> None:
    run: TinyRun = request.getfixturevalue(name)
    text = page_of(run)
    assert f"report: {run.folder / 'report.html'}" in [event.text for event in run.events if isinstance(event, Note)]
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", text)
    assert [title for title in TITLES[name] if title in titles] == TITLES[name]
    assert len(text.encode()) <= LARGEST
    tags = Reader(text).tags
    assert not {"script", "iframe", "object"} & {tag for tag, _ in tags}
    addresses = [value or "" for _, attributes in tags for key, value in attributes.items() if key in ("src", "href")]
    assert addresses and all(one.startswith(("#", "data:")) for one in addresses), "it needs no other file"
    names = {attributes.get("id") for _, attributes in tags}
    assert {one[1:] for one in addresses if one.startswith("#")} <= names, "links lead somewhere"
    for tag, attributes in tags:
        assert tag != "img" or attributes["alt"], "a picture has a text"
        assert tag != "svg" or (attributes["role"], bool(attributes["aria-label"])) == ("img", True)
    assert "nan" not in re.sub(r"data:[^\"]*", "", text).split() and "None" not in text


def test_a_class_called_script_is_text(reported: TinyRun) -> None:
    text = page_of(reported)
    assert "&lt;script&gt;alert(1)" in text and "<script" not in text


def test_the_worst_clips_are_shown_as_strips(reported: TinyRun) -> None:
    assert page_of(reported).count('src="data:image/jpeg') >= 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reported", "how much each moment speaks for "),
        ("reported_acts", "how much each moment speaks for "),
        ("reported_frames", "anomaly score from "),
    ],
)
def test_a_curve_under_a_strip_shows_when_it_was_decided(name: str, words: str, request: pytest.FixtureRequest) -> None:
    text = page_of(request.getfixturevalue(name))
    assert text.count('class="when"') >= 1 and f'aria-label="{words}' in text


def test_without_its_videos_a_page_has_no_pictures_and_says_so(reported: TinyRun, tmp_path: Path) -> None:
    run = shutil.copytree(reported.folder, tmp_path / "run")
    (run / "config.toml").write_text("")
    done, _ = followed(report(ReportRequest(run)))
    text = done.files[0].read_text(encoding="utf-8")
    assert "data:image/jpeg" not in text and "The worst clips" in text and "--data" in text
    assert 'class="when"' not in text


def test_a_page_names_no_folder_of_this_machine(reported: TinyRun) -> None:
    assert str(reported.data.parent) not in page_of(reported)


def test_a_run_without_answers_is_asked_about_data(reported: TinyRun, tmp_path: Path) -> None:
    run = shutil.copytree(reported.folder, tmp_path / "run")
    (run / "answers.json").unlink()
    done, events = followed(report(ReportRequest(run, out=tmp_path / "one.html")))
    assert any("--data DATA" in event.text for event in events if isinstance(event, Note))
    assert "The worst clips" not in done.files[0].read_text(encoding="utf-8")
    done, _ = followed(report(ReportRequest(run, out=tmp_path / "two.html", data=reported.data)))
    assert "The worst clips" in done.files[0].read_text(encoding="utf-8")


def test_a_model_that_has_seen_all_of_data_is_asked_about_its_validation_part(
    reported: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = read_header(find_weights(reported.model)).seen
    films = [film for film in reported.data.rglob("*.avi") if seen.get(content_hash(film)) is not Part.TEST]
    for film in films:
        target = tmp_path / "data" / film.relative_to(reported.data)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(film, target)
    shutil.copytree(reported.model, tmp_path / "model")
    done, events = followed(report(ReportRequest(tmp_path / "model", data=tmp_path / "data")))
    assert any("validation part" in event.text for event in events if isinstance(event, Note))
    count = sum(seen[content_hash(film)] is Part.VAL for film in films)
    assert 0 < count < len(films) and f"Answers to {count} clips of validation." in done.files[0].read_text("utf-8")


@pytest.mark.parametrize("name", ["reported_acts", "reported_frames"])
def test_other_models_are_asked_about_data_too(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run: TinyRun = request.getfixturevalue(name)
    shutil.copytree(run.model, tmp_path / "model")
    done, _ = followed(report(ReportRequest(tmp_path / "model", data=run.data)))
    text = done.files[0].read_text(encoding="utf-8")
    assert ("Ethograms" in text) == (name == "reported_acts")
    assert ("Anomalies" in text) == (name == "reported_frames")


def test_suspects_are_written_where_they_are_asked_for(reported: TinyRun, tmp_path: Path) -> None:
    done, _ = followed(report(ReportRequest(reported.folder, out=tmp_path / "page.html", suspects=True)))
    assert [file.name for file in done.files] == ["page.html", "suspects.csv", "suspects.labelstudio.json"]
    assert done.suspects is not None


def test_suspects_of_a_model_that_has_none_are_refused(reported_frames: TinyRun) -> None:
    with pytest.raises(RunError, match="--suspects"):
        followed(report(ReportRequest(reported_frames.folder, suspects=True)))


def test_data_that_is_not_there_is_refused(reported: TinyRun, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file or folder"):
        followed(report(ReportRequest(reported.folder, data=tmp_path / "nothing")))


@pytest.mark.slow
@pytest.mark.parametrize("name", TITLES)
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_shows_the_page_without_complaint(
    name: str, width: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium here")
    run: TinyRun = request.getfixturevalue(name)
    probe = "document.title=[innerWidth,document.documentElement.scrollWidth].join(' ')"
    page = page_of(run).replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    (tmp_path / "page.html").write_text(page.replace("</body>", f"<script>{probe}</script></body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900"]
    line = [browser, *flags, "--dump-dom", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
    shown = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    assert shown and int(shown[2]) <= int(shown[1]), "it scrolls to the side"
    assert "CONSOLE" not in done.stderr
