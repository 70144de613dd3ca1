"""The command `harness`: sub-commands are imported when they are called, so that each starts as fast as it can."""

import importlib
import os
import sys

import click

from harness import __version__
from harness.core.errors import UserError

_COMMANDS = {
    "list": "harness.cli.systems:list_command",
    "plan": "harness.cli.systems:plan_command",
    "build": "harness.cli.artifacts:build_command",
    "size": "harness.cli.artifacts:size_command",
    "sensitivity": "harness.cli.sensitivity:sensitivity_command",
    "fetch": "harness.cli.fetch:fetch_command",
    "segment": "harness.cli.segment:segment_command",
    "segmenters": "harness.cli.segmenters:segmenters_command",
    "generate": "harness.cli.evaluation:generate_command",
    "score": "harness.cli.evaluation:score_command",
    "compare": "harness.cli.compare:compare_command",
    "ladder": "harness.cli.ladder:ladder_command",
    "leaderboard": "harness.cli.evaluation:leaderboard_command",
    "import-hypotheses": "harness.cli.external:import_command",
    "rescore": "harness.cli.external:rescore_command",
    "tables": "harness.cli.tables:tables_command",
    "pack": "harness.cli.submission:pack_command",
    "check": "harness.cli.submission:check_command",
    "run": "harness.cli.run:run_command",
    "vocabulary": "harness.cli.vocabulary:vocabulary_command",
    "training-manifest": "harness.cli.training_manifest:training_manifest_command",
    "finetune": "harness.cli.finetune:finetune_command",
}


class _Lazy(click.Group):
    """A group that imports a sub-command's module only when that sub-command is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the work; nothing is imported."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a sub-command and return it; None where there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def group() -> None:
    """Build, weigh, run, score, rank and pack compressed speech-translation models."""


def main() -> None:
    """Run the command line: a user's mistake is one sentence and exit code 2, Ctrl-C exit code 130."""
    # A library that asks a hub for what is not on disk would hang without a network, and break "nothing unasked".
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.ClickException as error:
        _fail(f"{error.format_message().rstrip('.')}. `harness --help` shows what there is.", 2)
    except UserError as error:
        _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted; what was complete is kept, and the same command goes on from there.", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(sentence: str, code: int) -> None:
    print(f"harness: {sentence}", file=sys.stderr)
    sys.exit(code)
