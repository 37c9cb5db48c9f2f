"""The command line: flags in, one library call, result shown, exit code out. Importing it loads neither torch nor cv2.

Exit codes: 0 all well; 1 some of the work failed; 2 wrong use; 130 stopped by Ctrl-C, with all finished work saved.
"""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from vidrnn import __version__
from vidrnn.cli.missing import missing_library, missing_module
from vidrnn.errors import UsageError, VidrnnError, is_memory_shortage

_GARBAGE = 50_000
"""Objects between two garbage collections. Imports leave none, and collecting takes a tenth of a short command."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_NO_WAY = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.EROFS)
"""Reasons of the system to refuse a path, which any look at it may meet."""
_LESS_MEMORY = "Use fewer --jobs, smaller pictures or a smaller --minibatch, or close other programs."

COMMANDS = {
    "train": "Train a model on labelled videos, or a model that predicts the next frames of any videos.",
    "check": "Look at labelled videos before a training: what is wrong with them, and what may mislead a model.",
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
_SHOW_COMPLETION = "--show-completion"
OPTIONS = {
    "--version": "Show the version and exit.",
    _SHOW_COMPLETION: "Print what completes commands and flags. Name the shell: bash, zsh, fish, powershell or pwsh.",
    "--help": "Show this message and exit.",
}
_COMPLETE = "_VIDRNN_COMPLETE"
"""The variable by which a shell asks for completions."""
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vidrnn {__version__}")
        raise typer.Exit


def _ask_for_completion(shell: str) -> None:
    """Ask for the script of a shell, as Typer reads it. As an option of Typer's it would load pydantic each time.

    Raises:
        UsageError: there is no script for such a shell.
    """
    if shell not in _SHELLS:
        wrong = (
            f"{_SHOW_COMPLETION} {shell}: there is none for it." if shell else f"{_SHOW_COMPLETION}: names no shell."
        )
        raise UsageError(f"{wrong} Name one of {', '.join(_SHELLS)}, such as: vidrnn {_SHOW_COMPLETION} bash.")
    os.environ[_COMPLETE] = f"source_{shell}"


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            _write_all_letters(stream)
    if number := getattr(signal, "SIGBREAK", None):  # of Windows: Ctrl-Break stops as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    try:
        try:
            if sys.argv[1:2] == [_SHOW_COMPLETION]:
                _ask_for_completion(" ".join(sys.argv[2:]))
            if _COMPLETE in os.environ:
                from typer.completion import get_completion_inspect_parameters

                get_completion_inspect_parameters()  # makes the shells known
            _app()(prog_name="vidrnn")
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if _is_closed_output(error):
            _hush()
            sys.exit(1)
        known = _known(error)
        if known is None:
            raise
        from vidrnn.cli.views.base import show_error

        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            _hush()
        show_error(known)
        sys.exit(2 if isinstance(known, UsageError) else 1)


def _write_all_letters(stream: io.TextIOWrapper) -> None:
    """Have a stream take all letters. What is redirected is UTF-8 on every system: JSON is, and Windows' usual is not.

    Names of files may hold bytes that are no text, and a terminal may lack letters: they become codes.
    """
    encoding = stream.encoding if stream.isatty() else "utf-8"
    stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _is_closed_output(error: Exception) -> bool:
    """Whether whoever reads the output has gone. Windows calls that a wrong argument, and names no file."""
    if isinstance(error, BrokenPipeError):
        return True
    return os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None


def _command_given() -> str:
    """The command, as the arguments name it."""
    return next((word for word in sys.argv[1:] if word in COMMANDS), "")


def _known(error: Exception) -> VidrnnError | None:
    """The error that a person can act on; None for a fault of vidrnn, whose traceback is to be seen."""
    if isinstance(error, VidrnnError):
        return error
    sentence = _sentence_of_system(error) if isinstance(error, OSError) else ""
    if isinstance(error, ModuleNotFoundError):
        ours = not error.name or error.name.startswith("vidrnn")
        sentence = "" if ours else missing_module(str(error.name), _command_given())
    elif isinstance(error, ImportError):
        sentence = missing_library(error)
    elif is_memory_shortage(error):
        lines = str(error).strip().splitlines()
        sentence = f"Memory ran out{f' ({lines[0]})' if lines else ''}. {_LESS_MEMORY}"
    return VidrnnError(sentence) if sentence else None


def _sentence_of_system(error: OSError) -> str:
    """The sentence about what the system refused; empty for a refusal that only a fault of vidrnn can bring about."""
    if error.errno in _NO_WAY and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: cannot be reached: {error.strerror}. Name another path."
    return f"The output could not be written: {error.strerror}." if error.errno in _NO_ROOM else ""


def _hush() -> None:
    """Discard standard output, which has no reader any more. Otherwise Python writes to it again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
