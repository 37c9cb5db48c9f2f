"""Commands whose flags come from the fields of configurations, and the conversion of text to values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial, wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperCommand

from vidrnn.errors import UsageError
from vidrnn.settings import (
    COMPUTING,
    DATA,
    LABELS,
    LIVE,
    MANY,
    MODEL,
    NEXT_FRAMES,
    RUN,
    TIME,
    TIMELINE,
    Setting,
    settings_of,
)
from vidrnn.video.inspection.limits import allow_pixels

_PANELS = (None, DATA, LABELS, MODEL, TIME, RUN, TIMELINE, NEXT_FRAMES, COMPUTING, MANY, LIVE)
"""In the order of `--help`; the flags that people use most stand in the first, which has no name of its own."""
Settings = dict[str, Any]
"""The values of the flags that were given, by the names of a configuration's fields."""


def with_flags(
    name: str, *configs: type, first: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The command `name`: beside its own parameters, a function gets a flag for each setting of `configs` that has one
    for this command. The settings that were given come as its parameter `settings`.

    `first`: parameters that `--help` shows first, in this order.
    """
    flags = {one.parameter: one for config in configs for one in settings_of(config, name)}

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        declared = signature(function, eval_str=True).parameters.values()
        own = {one.name: one.replace(kind=one.KEYWORD_ONLY) for one in declared if one.name != "settings"}

        @wraps(function)
        def command(**given: Any) -> None:
            mine = {name: value for name, value in given.items() if name in own}
            settings = _settings(flags, given)
            if "max_pixels" in settings:
                allow_pixels(settings["max_pixels"])
            function(**mine, settings=settings)

        generated = {name: _parameter(one, as_first=name in first) for name, one in flags.items()}
        command.__signature__ = Signature(sorted((own | generated).values(), key=partial(_place, first=first)))  # type: ignore[attr-defined]
        return command

    return decorate


def _settings(flags: Mapping[str, Setting], given: Mapping[str, Any]) -> Settings:
    """The settings that flags gave, those of a configuration inside another one under its name."""
    settings: Settings = {}
    for name, setting in flags.items():
        value = given[name]
        if value is None or (value is False and "/" not in setting.declaration):
            continue
        if isinstance(value, int | float):
            setting.check_bounds(value)
        if setting.flag.parse is not None:
            settings |= setting.flag.parse(value)
            continue
        place = settings
        for outer in setting.path[:-1]:
            place = place.setdefault(outer, {})
        place[setting.path[-1]] = not setting.switches_off if setting.kind is bool and value else value
    return settings


def _parameter(setting: Setting, *, as_first: bool) -> Parameter:
    """A setting as Typer reads it. Its default is None, which tells a flag that was given from one that was not."""
    flag, panel = setting.flag, None if as_first else setting.flag.panel
    info: Any
    if not setting.declaration.startswith("-"):
        info = typer.Argument(help=setting.help, metavar=setting.declaration)
    else:
        info = typer.Option(setting.declaration, help=setting.help, metavar=setting.metavar, rich_help_panel=panel)
    kind = str if flag.parse else setting.kind
    return Parameter(setting.parameter, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, info])


def _place(parameter: Parameter, first: tuple[str, ...]) -> tuple[int, int, int]:
    """Where a parameter stands in `--help`: arguments, then those that come first, then the others by panel."""
    info = parameter.annotation.__metadata__[0]
    argument = isinstance(info, typer.models.ArgumentInfo)
    rank = first.index(parameter.name) if parameter.name in first else len(first)
    return not argument, rank, _PANELS.index(info.rich_help_panel)


def flag_names(config: type, settings: Mapping[str, Any]) -> dict[str, str]:
    """The flag of each setting that was given: `{"frames": "--frames", "head.size": "--units"}`."""
    return {
        ".".join(one.path): one.flag_name
        for one in settings_of(config)
        if one.path[0] in settings and (len(one.path) == 1 or one.path[1] in settings[one.path[0]])
    }


def refuse(where: str, config: type, settings: Settings, foreign: Collection[str]) -> None:
    """Refuse settings that were given and mean nothing `where`, the end of a sentence that names their flags.

    Raises:
        UsageError: some were given.
    """
    given = {name: value for name, value in settings.items() if name in foreign}
    if given:
        flags = list(dict.fromkeys(flag_names(config, given).values()))
        has, them = ("has", "it") if len(flags) == 1 else ("have", "them")
        raise UsageError(f"{', '.join(flags)}: {has} no meaning {where}. Leave {them} out.")


def refuse_foreign(task: str, config: type, settings: Settings, allowed: Collection[str]) -> None:
    """Refuse settings that were given and that `allowed`, the settings that mean something for the task, lacks.

    Raises:
        UsageError: some were given.
    """
    refuse(f"for --task {task}", config, settings, {name for name in settings if name not in allowed})


PREDICT_ALWAYS = frozenset(
    {
        *("rate", "max_pixels", "runtime", "device", "jobs", "out", "format", "timeout", "shard", "engine"),
        "explain",
        *("show", "reconnect", "silence"),
    }
)
"""The fields of `PredictConfig` that mean something for every task."""


class Command(TyperCommand):
    """A command that turns plain text into values by itself.

    Typer builds a pydantic adapter for each parameter, given or not. That takes 0.1 s, a fifth of a cold `predict`.
    Here it does so only for text that is not plainly right, and then explains what is wrong with it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        hints = signature(self.callback).parameters if self.callback else {}
        for parameter in self.params:
            if parameter.name in hints:
                kind = _bare(get_args(hints[parameter.name].annotation)[0])
                parameter.process_value = partial(_value, kind, parameter, parameter.process_value)  # type: ignore[method-assign]
                parameter.metavar = "" if kind is bool else parameter.metavar
                _plain_help(parameter)

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """The flag --help, which takes no value."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.metavar, option.default = "", False  # a plain no, for which Typer needs no adapter
        return option


def _plain_help(parameter: Any) -> None:
    """Have `--help` show an argument by its name in capitals without a type, and a default without its title."""
    if parameter.param_type_name == "argument":
        name = parameter.metavar = parameter.metavar or str(parameter.name).upper()
        shown = name if parameter.required else f"[{name}]"
        parameter.get_usage_pieces = lambda ctx: [f"{shown}..." if parameter.nargs != 1 else shown]
        parameter.display_type_rich = lambda ctx: None
    elif parameter.default not in (None, False) and parameter.show_default:
        parameter.show_default, parameter.help = False, f"{parameter.help} [{parameter.default}]"


def _bare(kind: Any) -> Any:
    """A type that may be None, without None."""
    kinds = [one for one in get_args(kind) if one is not type(None)]
    return kinds[0] if len(kinds) < len(get_args(kind)) else kind


def _value(kind: Any, parameter: Any, convert: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The value that a text stands for; `convert` is Typer's way, for a text that is not plain."""
    if value is None and not parameter.required and not parameter.multiple:
        return None
    if kind == list[str] and value:
        return tuple(value)
    if isinstance(value, str):
        if kind in (str, Path) or (get_origin(kind) is Literal and value in get_args(kind)):
            return Path(value) if kind is Path else value
        if kind in (int, float) and parameter.min is None and parameter.max is None:
            with suppress(ValueError):
                return kind(value)
    return convert(context, value)
