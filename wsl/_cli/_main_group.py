"""``wsl``: the group of commands, and their exit codes."""

import importlib
import os
import re
import sys
from collections.abc import Sequence

import click

from .. import __version__
from ..exceptions import WslError
from ._session import Session

COMMANDS = {
    "demo": "_demo_command",
    "audit": "_audit_command",
    "audit-model": "_audit_model_command",
    "compare": "_compare_command",
    "zoo": "_zoo_command",
}
OPTIONS = {"response_columns": "responses", "random_state": "seed", "n_jobs": "jobs"}
EPILOG = (
    "Exit codes: 0, done; 1, a value of --fail-above is exceeded; 2, an option or an input is "
    "wrong; 130, interrupted. Without a command, wsl runs the demo."
)


class CommandGroup(click.Group):
    """Commands by name, each imported when it is used; without a name, the demo."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"wsl._cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the name of the demo where no command is named."""
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["demo", *args]
        return super().parse_args(ctx, args)


@click.group(cls=CommandGroup, epilog=EPILOG)
@click.version_option(__version__, prog_name="wsl", message="%(prog)s %(version)s")
def group() -> None:
    """Trained models as data: audit what they reveal about their training data."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        0 when done, 1 if a threshold is exceeded, 2 for a wrong option or input, 130 on Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    session = Session()
    context: click.Context | None = None
    try:
        context = group.make_context("wsl", arguments, obj=session)
        with context:
            return int(group.invoke(context) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _fail(_path_of(error, context), error.format_message())
    except BrokenPipeError:  # whoever read the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (WslError, OSError) as error:
        return _fail(_running(context), options_named(str(error)))
    except (KeyboardInterrupt, click.Abort):
        end_of_line = "\n" if sys.stderr.isatty() else ""  # after ^C
        print(f"{end_of_line}wsl: {session.interrupted()}", file=sys.stderr)
        return 130


def options_named(message: str) -> str:
    """Return a message of the package with the names of options in place of parameters."""

    def option(match: re.Match) -> str:
        return f"`--{OPTIONS.get(match[1], match[1].replace('_', '-'))}`"

    return re.sub(r"`([a-z][a-z_]*)`", option, message)


def _fail(path: str, message: str) -> int:
    print(f"{path}: {' '.join(message.split())} (see {path} --help)", file=sys.stderr)
    return 2


def _path_of(error: click.ClickException, context: click.Context | None) -> str:
    own = getattr(error, "ctx", None)
    return own.command_path if own is not None else _running(context)


def _running(context: click.Context | None) -> str:
    if context is None or context.invoked_subcommand is None:
        return "wsl"
    return f"wsl {context.invoked_subcommand}"
