"""Options that the sub-commands share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from harness.config.task import Task, load_task
from harness.core.errors import UserError
from harness.core.files import canonical_json
from harness.core.workdir import WorkDir, open_workdir

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@dataclass(frozen=True)
class Options:
    """What every verb is called with: the task, the work directory and the form of the output."""

    task: Task
    workdir: WorkDir
    as_json: bool

    def emit(self, value: object, text: str) -> None:
        """Print the result to stdout: as one JSON value with `--json`, else as text."""
        print(canonical_json(value).decode() if self.as_json else text)


def parse_bytes(text: str) -> int:
    """Read a number of bytes such as `4000000000`, `4_000_000_000`, `4GB` or `3.98 GiB`.

    Raises:
        UserError: it is not a positive number with a known unit.
    """
    match = re.fullmatch(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([a-zA-Z]*)\s*", text)
    unit = _UNITS.get(match.group(2).lower()) if match else None
    if match is None or unit is None or float(match.group(1)) <= 0:
        raise UserError(f"{text!r} is no size: write bytes, or a number with B, kB, MB, GB, KiB, MiB or GiB.")
    return round(float(match.group(1)) * unit)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON value to stdout.")(function)


def common(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--task`, `--limit`, `--workdir` and `--json`, and pass them as one `Options` first."""

    def wrapper(task: str, limit: str | None, workdir: str | None, as_json: bool, **rest: Any) -> Any:
        loaded = load_task(task)
        chosen = loaded.with_limit(parse_bytes(limit)) if limit else loaded
        return function(Options(chosen, open_workdir(workdir), as_json), **rest)

    wrapper.__name__, wrapper.__doc__ = function.__name__, function.__doc__
    wrapper.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("--task", default="demo", show_default=True, help="Task profile: a name or a .toml file."),
        click.option("--limit", default=None, help="Size limit instead of the task's, e.g. 4GB or 4GiB."),
        click.option("--workdir", default=None, help="Folder for all results [default: work, or $HARNESS_WORKDIR]."),
    ):
        wrapper = option(wrapper)
    return json_option(wrapper)


device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, ...")
