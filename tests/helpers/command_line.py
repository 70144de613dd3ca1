"""The command line, called in this process: faster than a process of its own, which imports torch again."""

import contextlib
import io
import sys
from dataclasses import dataclass

import pytest

from harness.cli.main import main


@dataclass(frozen=True)
class Called:
    """What a call of the command line returned.

    Attributes:
        code: exit code.
        out: text on stdout.
        err: text on stderr.
    """

    code: object
    out: str
    err: str


def call(*arguments: object) -> Called:
    """Run `harness` with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        for name, value in (("HF_HUB_OFFLINE", "1"), ("TOKENIZERS_PARALLELISM", "false")):
            patch.setenv(name, value)  # `main` sets both; so they are gone when the call returns
        with pytest.raises(SystemExit, match=r"^\d+$") as left:
            main()
    return Called(left.value.code, out.getvalue(), err.getvalue())
