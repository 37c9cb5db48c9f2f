"""Sections become one HTML file, which needs no script, no other file and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from vidrnn.report.blocks import Section
from vidrnn.report.evidence import Evidence
from vidrnn.text import visible

_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Page:
    """What is on a page."""

    evidence: Evidence
    sections: Sequence[Section]


def render(page: Page) -> str:
    """The page as HTML. Names of classes and files are text in it, whatever they hold."""
    header = page.evidence.header
    return _template().render(
        title=page.evidence.name,
        task=header.answer.task,
        version=header.vidrnn_version,
        sections=page.sections,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    return environment.get_template("page.html")


def _shown(value: object) -> object:
    """A text without characters that nobody sees; what is safe HTML already stays as it is."""
    return visible(value, lines=True) if type(value) is str else value
