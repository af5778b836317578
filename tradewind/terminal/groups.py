"""How does all help stay instant? Commands are declared; what one does is imported when it runs."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final

import click

from tradewind.errors import TradewindError, did_you_mean
from tradewind.terminal.output import fitted

SETTINGS: Final[Mapping[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
"""Of every group and command."""

SHOW_TRACEBACKS: Final = "TRADEWIND_TRACEBACKS"
"""When set and not empty, every command behaves as with ``-v``."""


def _note_verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.find_root().meta["verbose"] = True


VERBOSE: Final = click.Option(
    ["-v", "--verbose"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_note_verbose,
    help="Show the traceback when something fails.",
)


class Command:
    """A command as people see it. What it does is imported when it runs, never for its help.

    Attributes:
        target: ``package.module:function`` of what it does, called with the params by name.
        help: one line for lists of commands; a test holds it equal to the function's own first line.
        params: its arguments and options; every command has ``-v`` too.
        detail: what its own help says below that line.
        is_hidden: it works, but lists do not show it: an alias, or a name that people bring from Airflow.
    """

    def __init__(
        self, target: str, line: str, *params: click.Parameter, detail: str = "", is_hidden: bool = False
    ) -> None:
        self.target: Final = target
        self.help: Final = line
        self.params: Final = params
        self.detail: Final = detail
        self.is_hidden: Final = is_hidden

    def load(self) -> Callable[..., Any]:
        """Import and return what it does."""
        module, _, attribute = self.target.partition(":")
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
        return found

    def make(self, name: str) -> click.Command:
        """Return it as click runs it."""

        def run(**values: Any) -> Any:
            return self.load()(**values)

        return click.Command(
            name,
            context_settings=dict(SETTINGS),
            callback=run,
            params=[*self.params, VERBOSE],
            help=f"{self.help}\n\n{self.detail}".strip(),
            short_help=self.help,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Commands behind one word."""

    help: str
    commands: Mapping[str, Command] = field(default_factory=dict)


Tree = Mapping[str, "Command | Group"]


class Failure(click.ClickException):
    """A :class:`TradewindError` on its way to the terminal: the message alone."""

    def show(self, file: IO[Any] | None = None) -> None:
        start, message = "Error: ", fitted("Error: " + self.format_message())
        painted = click.style(start, fg="red", bold=True, reset=True) + message.removeprefix(start)
        click.echo(painted, file=file, err=True)


class Misuse(Failure):
    """The same for an error of the one who typed the command."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group made from the tree. Unknown names are answered with the nearest."""

    def __init__(self, name: str, tree: Tree, **attrs: Any) -> None:
        super().__init__(name, context_settings=dict(SETTINGS), **attrs)
        self.tree: Final = tree

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names that are shown, in the order of the table."""
        return [name for name, item in self.tree.items() if isinstance(item, Group) or not item.is_hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command; None when there is none of that name."""
        item = self.tree.get(cmd_name)
        if item is None:
            return None
        if isinstance(item, Group):
            return LazyGroup(cmd_name, item.commands, help=item.help)
        return item.make(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` name, or fail with the nearest name."""
        name = args[0]
        if name not in self.tree and not name.startswith("-"):
            hint = self._elsewhere(name) or did_you_mean(name, self.list_commands(ctx))
            raise click.UsageError(f"There is no command {name!r} in `{ctx.command_path}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def _elsewhere(self, name: str) -> str:
        paths = [
            f"{group} {name}" for group, item in self.tree.items() if isinstance(item, Group) and name in item.commands
        ]
        return f" Did you mean {' or '.join(repr(path) for path in paths)}?" if paths else ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups, then the commands."""
        shown = [(name, self.tree[name]) for name in self.list_commands(ctx)]
        for title, kind in (("Groups", Group), ("Commands", Command)):
            rows = [(name, item.help) for name, item in shown if isinstance(item, kind)]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class RootGroup(LazyGroup):
    """The ``tradewind`` command itself: turns errors into messages and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. 0: done, 1: failed, 2: misused."""
        try:
            return super().invoke(ctx)
        except TradewindError as error:
            _show_traceback(ctx)
            raise (Misuse if error.exit_code == Misuse.exit_code else Failure)(str(error)) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, BrokenPipeError):
            raise
        except OSError as error:  # a disk that is full, a port that is taken, a file that may not be read
            _show_traceback(ctx)
            raise Failure(str(error)) from error
        except Exception as error:
            _show_traceback(ctx)
            first_line = str(error).strip().partition("\n")[0]
            message = f"{type(error).__name__}: {first_line}"
            if not wants_traceback(ctx):
                message += "\nThis should not happen. Run the command again with -v to see where."
            raise Failure(message) from error


def wants_traceback(ctx: click.Context) -> bool:
    """Return whether ``-v`` was given, anywhere on the command line."""
    return bool(ctx.find_root().meta.get("verbose") or os.environ.get(SHOW_TRACEBACKS))


def walk(tree: Tree, prefix: Sequence[str] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Give every command with the words that call it."""
    for name, item in tree.items():
        if isinstance(item, Group):
            yield from walk(item.commands, (*prefix, name))
        else:
            yield (*prefix, name), item


def _show_traceback(ctx: click.Context) -> None:
    if wants_traceback(ctx):
        traceback.print_exc(file=sys.stderr)
