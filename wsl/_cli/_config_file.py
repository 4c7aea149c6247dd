"""Options of a command in a TOML file: read by ``--config``, written beside every report."""

import tomllib
from pathlib import Path
from typing import Any

import click

from .._files import read_bytes, replacing
from ..exceptions import InvalidInputError

MAX_BYTES = 1 << 20


def read_config(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """Take the options in the file as defaults of the command; those of the shell come first."""
    if path is None:
        return
    try:
        options = tomllib.loads(
            read_bytes(path, MAX_BYTES, error=InvalidInputError).decode("utf-8")
        )
    except (InvalidInputError, ValueError) as error:
        raise click.BadParameter(f"{path}: {error}", context, parameter) from error
    known = {key_of(p): p for p in context.command.params if p.name != parameter.name}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise click.BadParameter(
            f"{path} must hold options of this command; got {', '.join(unknown)}. "
            f"Options: {', '.join(known)}.",
            context,
            parameter,
        )
    context.default_map = {str(known[key].name): value for key, value in options.items()}


def key_of(parameter: click.Parameter) -> str:
    """Return the name of a parameter in a file: that of its option, with underscores."""
    return parameter.opts[0].lstrip("-").replace("-", "_")


def write_config(context: click.Context, folder: Path) -> str:
    """Write the options of this run, defaults included, as a file for ``--config``."""
    import tomli_w

    options = {
        key_of(parameter): _plain(context.params[parameter.name])
        for parameter in context.command.params
        if parameter.name in context.params and context.params[parameter.name] is not None
    }
    with replacing(folder / "config.toml") as draft:
        draft.write_text(tomli_w.dumps(options), encoding="utf-8")
    return "config.toml"


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
