"""mwerSegmenter (RWTH Aachen): the campaign's own binary. It states no version, so its sha256 identifies it."""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.files import sha256_of
from harness.resegmentation.command import find_command, read_lines, run_command, write_lines
from harness.resegmentation.resegmenter import RESEGMENTERS, Pieces, Resegmenter, Talk
from harness.resegmentation.text_mapping import SPACELESS

_TOKEN = re.compile(r"[!-ÿ]+|\S")


def _command() -> str:
    advice = "get it from RWTH Aachen's Human Language Technology group"
    return find_command("mwerSegmenter", "HARNESS_MWERSEGMENTER", advice)


def _identity(target: str) -> str:
    return f"mwerSegmenter {sha256_of(Path(_command()))[:12]} {'characters' if target in SPACELESS else 'words'}"


def _split(talks: Sequence[Talk], target: str) -> Pieces:
    return [_split_talk(talk, target) for talk in talks]


def _split_talk(talk: Talk, target: str) -> list[str]:
    """Run the binary in a temporary folder, since it writes its result as `__segments` into the current one."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        references = write_lines(folder / "references", [_spaced(line, target) for line in talk.references])
        text = write_lines(folder / "hypothesis", [_spaced(talk.text, target)])
        run_command([_command(), "-mref", str(references), "-hypfile", str(text), "-usecase", "1"], folder)
        return read_lines(folder / "__segments", len(talk.references))


def _spaced(text: str, target: str) -> str:
    """Put spaces between Chinese characters, since the binary separates words by spaces."""
    return " ".join(_TOKEN.findall(text)) if target in SPACELESS else text


RESEGMENTERS.add("mwersegmenter", Resegmenter("mwersegmenter", _identity, _split), __name__)
