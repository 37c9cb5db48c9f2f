"""The command line: flags in, one library call, result shown, exit code out. Importing it loads neither torch nor cv2.

Exit codes: 0 all well; 1 some of the work failed; 2 wrong use; 130 stopped by Ctrl-C, with all finished work saved.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from vidrnn import __version__
from vidrnn.errors import UsageError, VidrnnError, is_memory_shortage

_GARBAGE = 50_000
"""Objects between two garbage collections. Imports leave none, and collecting takes a tenth of a short command."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_NO_WAY = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EROFS)
"""Reasons of the system to refuse a path, which any look at it may meet."""
_LIBRARIES = "On Debian and Ubuntu OpenCV needs: apt-get install libgl1 libglib2.0-0."
_LESS_MEMORY = "Use fewer --jobs, smaller pictures or a smaller --minibatch, or close other programs."

COMMANDS = {
    "train": "Train a model on labelled videos, or a model that predicts the next frames of any videos.",
    "predict": "Say what happens in videos, and when.",
    "evaluate": "Score a model on labelled videos that it has not seen.",
    "compare": "Train several heads on the same videos in the same way, and show what each is worth and what it costs.",
    "export": "Write a model as a file that runs without vidrnn.",
    "labels": "Write the labels of one labelling tool in the format of another one.",
    "report": "Write one page on a run: its scores, its mistakes as pictures, and suspect labels.",
    "info": "Show the facts of a video or a model.",
    "cache": "Show the cache of decoded videos, and remove what it holds.",
}
"""Each command is the function of that name in the module of that name. Only the module that is needed is loaded."""
OPTIONS = {"--version": "Show the version and exit.", "--help": "Show this message and exit."}
EXTRAS = {"openvino": "openvino", "pyarrow": "parquet", "ray": "ray"}
"""Packages that vidrnn needs for some work only, and the extra of vidrnn that installs each."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vidrnn {__version__}")
        raise typer.Exit


def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=OPTIONS["--version"])
    ] = False,
) -> None:
    """Turn a folder of videos into a model that understands what happens in them over time."""


class _Commands(TyperGroup):
    """The table of commands. It loads only the given one: to load all takes longer than many commands run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]  # the names, for "Did you mean ...?"

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]
        return _command(cmd_name) if cmd_name in COMMANDS else None

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False  # a plain no; for None Typer loads pydantic
        return option

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        from vidrnn.cli.views.commands import show_help

        show_help("vidrnn COMMAND [FLAGS]", main.__doc__ or "", OPTIONS, COMMANDS)


def _command(name: str) -> Any:
    """The command of that name, as Typer runs it."""
    from vidrnn.cli.flags import Command

    alone = _typer()
    alone.command(name, cls=Command)(getattr(import_module(f"vidrnn.cli.{name}"), name))
    return typer.main.get_command(alone)


def _app() -> typer.Typer:
    app = _typer(cls=_Commands, no_args_is_help=True)
    app.callback()(main)
    return app


def _typer(**settings: Any) -> typer.Typer:
    return typer.Typer(
        name="vidrnn",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # [defaults] in square brackets are no markup
        **settings,
    )


def run() -> None:
    """The entry point: errors become a panel and an exit code, never a traceback."""
    try:
        _run()
    except SystemExit as end:
        _leave(end.code)
        raise


def _leave(code: int | str | None) -> None:
    """End at once if a thread still waits for a stream. Python crashes if such a thread wakes up while it ends."""
    if threading.active_count() == 1:
        return
    from vidrnn.live.addresses import READER

    if any(thread.name == READER for thread in threading.enumerate()):
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _run() -> None:
    gc.set_threshold(_GARBAGE)
    atexit.register(gc.freeze)  # the last collection, when Python ends, takes another tenth
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may hold bytes that are no text
    try:
        try:
            _app()(prog_name="vidrnn")
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _hush()
        sys.exit(1)
    except Exception as error:
        known = _known(error)
        if known is None:
            raise
        from vidrnn.cli.views.base import show_error

        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _hush()
        show_error(known)
        sys.exit(2 if isinstance(known, UsageError) else 1)


def _known(error: Exception) -> VidrnnError | None:
    """The error that a person can act on; None for a fault of vidrnn, whose traceback is to be seen."""
    if isinstance(error, VidrnnError):
        return error
    sentence = _sentence_of_system(error) if isinstance(error, OSError) else ""
    if isinstance(error, ModuleNotFoundError):
        ours = not error.name or error.name.startswith("vidrnn")
        sentence = "" if ours else _missing(str(error.name))
    elif isinstance(error, ImportError) and "cannot open shared object" in str(error):
        sentence = f"A library of this system is missing ({error}). {_LIBRARIES}"
    elif is_memory_shortage(error):
        lines = str(error).strip().splitlines()
        sentence = f"Memory ran out{f' ({lines[0]})' if lines else ''}. {_LESS_MEMORY}"
    return VidrnnError(sentence) if sentence else None


def _sentence_of_system(error: OSError) -> str:
    """The sentence about what the system refused; empty for a refusal that only a fault of vidrnn can bring about."""
    if error.errno in _NO_WAY and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: cannot be reached: {error.strerror}. Name another path."
    return f"The output could not be written: {error.strerror}." if error.errno in _NO_ROOM else ""


def _missing(module: str) -> str:
    """The sentence about a module that Python does not find."""
    package = module.partition(".")[0]
    if package in EXTRAS:
        install = f'pip install "vidrnn[{EXTRAS[package]}]"'
        return f"This needs the package {package}, which is not installed here. Install it: {install}"
    if package in sys.stdlib_module_names:
        return f"This needs {package}, a part of Python that this system does not have."
    return (
        f"The package {package}, which belongs to vidrnn, is not installed here. "
        "Install vidrnn again: pip install --force-reinstall vidrnn"
    )


def _hush() -> None:
    """Discard standard output, which has no reader any more. Otherwise Python writes to it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
