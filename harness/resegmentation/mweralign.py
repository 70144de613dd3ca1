"""mweralign (Post and Hoang, 2025): the campaign's alignment with current tokenisers."""

from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.resegmentation.command import find_command, read_lines, run_command, write_lines
from harness.resegmentation.resegmenter import RESEGMENTERS, Pieces, Resegmenter, Talk
from harness.resegmentation.text_mapping import SPACELESS


def tokenizer(target: str) -> str:
    """Return the tokenizer that works offline: `cj` for Chinese and Japanese, else `none` (white space)."""
    return "cj" if target in SPACELESS else "none"


def _command() -> str:
    return find_command("mweralign", "HARNESS_MWERALIGN", "install it with `pip install mweralign`")


@cache
def _version(command: str) -> str:
    return run_command([command, "--version"], Path.cwd()).split()[-1]


def _identity(target: str) -> str:
    return f"mweralign {_version(_command())} -m {tokenizer(target)}"


def _split(talks: Sequence[Talk], target: str) -> Pieces:
    """Divide all talks in one run: one hypothesis line per talk, and the number of its talk for each reference."""
    numbers = [str(number) for number, talk in enumerate(talks) for _ in talk.references]
    with TemporaryDirectory() as name:
        folder = Path(name)
        references = write_lines(folder / "references", [line for talk in talks for line in talk.references])
        texts = write_lines(folder / "hypotheses", [talk.text for talk in talks])
        documents = write_lines(folder / "documents", numbers)
        out = folder / "lines"
        options = ["-r", references, "-t", texts, "-d", documents, "-o", out, "-m", tokenizer(target), "-l", target]
        run_command([_command(), *map(str, options)], folder)
        lines = iter(read_lines(out, len(numbers)))
    return [list(islice(lines, len(talk.references))) for talk in talks]


RESEGMENTERS.add("mweralign", Resegmenter("mweralign", _identity, _split), __name__)
