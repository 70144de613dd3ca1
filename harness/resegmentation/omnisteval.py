"""OmniSTEval (Polák, 2026): another alignment, as a cross-check; by words, or by characters in scripts without spaces.

Its own tokenisation is not used, since it needs Moses rules for each language.
"""

import json
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.errors import UserError
from harness.resegmentation.command import find_command, read_lines, run_command, write_lines
from harness.resegmentation.resegmenter import RESEGMENTERS, Pieces, Resegmenter, Talk
from harness.resegmentation.text_mapping import SPACELESS, dense

_VERSION = "import importlib.metadata as m; print(m.version('omnisteval'))"


def _command() -> str:
    return find_command("omnisteval", "HARNESS_OMNISTEVAL", "install it with `pip install omnisteval`")


@cache
def _version(command: str) -> str:
    """Return the version from the metadata of the command's own Python, since the command does not print it."""
    return run_command([str(Path(command).with_name("python")), "-c", _VERSION], Path.cwd()).strip()


def _identity(target: str) -> str:
    return f"OmniSTEval {_version(_command())} {_level(target)}"


def _level(target: str) -> str:
    return "char_level" if target in SPACELESS else "word_level"


def _split(talks: Sequence[Talk], target: str) -> Pieces:
    with TemporaryDirectory() as name:
        folder = Path(name)
        places = [f"docid={i},segid={j}" for i, talk in enumerate(talks) for j in range(len(talk.references))]
        inputs = {
            "text_segmentation": places,
            "ref_sentences_file": [_text(line, target) for talk in talks for line in talk.references],
            "hypothesis_file": [_text(talk.text, target) for talk in talks],
        }
        files = [part for key, lines in inputs.items() for part in (f"--{key}", str(write_lines(folder / key, lines)))]
        settings = ["--hypothesis_format", "text", "--no_quality", "--no_latency", f"--{_level(target)}"]
        run_command([_command(), "longform", *files, *settings, "--output_folder", name], folder)
        found = iter(_read_result(folder / "instances.resegmented.jsonl", len(places)))
    return [list(islice(found, len(talk.references))) for talk in talks]


def _text(text: str, target: str) -> str:
    return dense(text) if target in SPACELESS else text


def _read_result(path: Path, expected: int) -> list[str]:
    try:
        return [str(json.loads(line)["prediction"]) for line in read_lines(path, expected)]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"OmniSTEval's output cannot be read ({error}): install a supported version.") from error


RESEGMENTERS.add("omnisteval", Resegmenter("omnisteval", _identity, _split), __name__)
