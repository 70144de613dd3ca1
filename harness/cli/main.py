"""The command `harness`. A sub-command is imported when it is called, so that each starts fast."""

import os
import sys

import click

from harness import __version__
from harness.core.errors import UserError
from harness.core.registry import TargetRegistry

_SECTIONS = {
    "Main job": {"run": "harness.cli.run:run_command"},
    "Build": {
        "list": "harness.cli.systems:list_command",
        "plan": "harness.cli.systems:plan_command",
        "build": "harness.cli.systems:build_command",
        "size": "harness.cli.systems:size_command",
        "sensitivity": "harness.cli.systems:sensitivity_command",
        "vocabulary": "harness.cli.systems:vocabulary_command",
    },
    "Evaluate": {
        "segment": "harness.cli.segment:segment_command",
        "generate": "harness.cli.evaluation:generate_command",
        "score": "harness.cli.evaluation:score_command",
    },
    "Report": {
        "leaderboard": "harness.cli.evaluation:leaderboard_command",
        "compare": "harness.cli.reports:compare_command",
        "ladder": "harness.cli.reports:ladder_command",
        "segmenters": "harness.cli.evaluation:segmenters_command",
        "tables": "harness.cli.reports:tables_command",
    },
    "Submit": {
        "pack": "harness.cli.submission:pack_command",
        "check": "harness.cli.submission:check_command",
        "import-hypotheses": "harness.cli.submission:import_command",
        "rescore": "harness.cli.submission:rescore_command",
    },
    "Data and training": {
        "fetch": "harness.cli.fetch:fetch_command",
        "training-manifest": "harness.cli.finetune:training_manifest_command",
        "finetune": "harness.cli.finetune:finetune_command",
    },
}
"""The commands by section of the help, each with its import path."""
_SUMMARY = 200  # most characters of a command's summary in the help
COMMANDS = TargetRegistry("command", "commands", {k: v for targets in _SECTIONS.values() for k, v in targets.items()})
"""All commands. Installed packages add theirs through entry points `stcompress.commands`."""


class _LazyGroup(click.Group):
    """A group that imports the module of a command when that command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands; no command is imported."""
        return list(COMMANDS.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002
        """Import a command and return it; raises as `TargetRegistry.load`."""
        return COMMANDS.load(cmd_name, click.Command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summary of every command, by section."""
        own = {name for targets in _SECTIONS.values() for name in targets}
        installed = [name for name in COMMANDS.names if name not in own]
        for section, names in {**_SECTIONS, "Installed packages": installed}.items():
            rows = [(name, self.get_command(ctx, name).get_short_help_str(_SUMMARY)) for name in names]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def group() -> None:
    """Build, measure, run, score, rank and pack compressed speech-translation models."""


def main() -> None:
    """Run the command line: a user's mistake is one sentence and exit code 2, Ctrl-C is exit code 130."""
    # Libraries of Hugging Face look for files that are not on disk on the hub, and hang without a network; the harness
    # downloads only in `harness fetch`.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "harness"
        _fail(f"{error.format_message().rstrip('.')}: see `{path} --help`.", 2)
    except UserError as error:
        _fail(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted; finished results are kept, and the same command continues from there.", 130)
    except BrokenPipeError:
        # The reader of the pipe has gone, e.g. `head`; Python would write to the pipe once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(sentence: str, code: int) -> None:
    print(f"harness: {sentence}", file=sys.stderr)
    sys.exit(code)
