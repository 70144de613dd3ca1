"""What the commands share: their options, and the one place where their output is printed."""

import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from harness.config.task import Task, load_task
from harness.core.errors import UserError
from harness.core.files import canonical_json
from harness.core.workdir import WorkDir, open_workdir

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_Option = Callable[[Callable[..., Any]], Callable[..., Any]]
_JSON: _Option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON value.")


@dataclass(frozen=True)
class Output:
    """The result of a command, which is printed once, when the command returns.

    Attributes:
        value: the result, printed as one JSON value with `--json`.
        text: the result for people; empty where the command has shown it in parts already.
        exit_code: exit code of the process, e.g. 1 for a check that failed.
    """

    value: object
    text: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Options:
    """The options that most commands share; the task has the limit of `--limit` where that is given."""

    task: Task
    workdir: WorkDir
    as_json: bool

    def show(self, text: str) -> None:
        """Print a part of the result as soon as it is known; with `--json` it is printed with the whole result."""
        if not self.as_json:
            print(text, flush=True)


def parse_bytes(text: str) -> int:
    """Read a number of bytes such as `4000000000`, `4_000_000_000`, `4GB` or `3.98 GiB`.

    Raises:
        UserError: the text is not a positive number with a known unit.
    """
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    unit = _UNITS.get(match.group(2).lower()) if match else None
    if match is None or unit is None or float(match.group(1)) <= 0:
        advice = "write bytes, or a number with the unit B, kB, MB, GB, KiB, MiB or GiB"
        raise UserError(f"{text!r} is not a valid size: {advice}.")
    return round(float(match.group(1)) * unit)


def json_option(function: Callable[..., Output]) -> Callable[..., Any]:
    """Add `--json` to a command and print the output that it returns."""

    def wrapper(as_json: bool, **rest: Any) -> None:
        _print(function(**rest), as_json)

    return add_options(function, wrapper, _JSON)


def common(function: Callable[..., Output]) -> Callable[..., Any]:
    """Add `--task`, `--limit`, `--workdir` and `--json`, pass them as one `Options` first, and print the output."""

    def wrapper(task: str, limit: str | None, workdir: str | None, as_json: bool, **rest: Any) -> None:
        loaded = load_task(task)
        chosen = loaded.with_limit(parse_bytes(limit)) if limit else loaded
        _print(function(Options(chosen, open_workdir(workdir), as_json), **rest), as_json)

    return add_options(
        function,
        wrapper,
        click.option("--task", default="demo", show_default=True, help="Task profile: a name or a .toml file."),
        click.option("--limit", default=None, help="Size limit instead of the task's, e.g. 4GB or 4GiB."),
        click.option("--workdir", default=None, help="Folder for all results [default: work, or $HARNESS_WORKDIR]."),
        _JSON,
    )


def add_options(function: Callable[..., Any], wrapper: Callable[..., Any], *options: _Option) -> Callable[..., Any]:
    """Return the wrapper with the name, help and parameters of a command's function, and with further options."""
    functools.update_wrapper(wrapper, function)
    for option in options:
        wrapper = option(wrapper)
    return wrapper


def _print(output: Output, as_json: bool) -> None:
    if as_json:
        print(canonical_json(msgspec.to_builtins(output.value, enc_hook=_plain)).decode())
    elif output.text:
        print(output.text)
    if output.exit_code:
        sys.exit(output.exit_code)


def _plain(value: object) -> str:
    """Return a path as text; canonical JSON refuses paths, since none may enter a content key."""
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form in JSON")


device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
