"""Every command of the command line, on one tiny task: exit code, one JSON value, and text."""

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import COMMANDS
from tests.helpers.command_line import call
from tests.helpers.finetuning import write_manifest, write_noise
from tests.helpers.tiny_shas import write_checkpoint, write_encoder
from tests.helpers.tiny_task import SENTENCES, write_tiny_task

MODEL = "TOY_IWSLT26_ModelCompression_en-de_unconstrained_primary"
SEGMENTATION = """
[segmentation]
default = "gold"
window = 2.0
max_seconds = 1.5
threshold = 0.001
shas = {{ checkpoint = "{folder}/shas.pt", encoder = "{folder}/encoder", listen_seconds = 2.0 }}

[roles.finetuned]
"""
SUBMISSION = """
format_version = 1
team = "TOY"
task = "tiny"
contact = "us@toy.org"
entries.en-de = { primary = "hqq4" }
"""
RECIPE = """
format_version = 1
name = "toy"
source = "this test"
role = "finetuned"
prompt = "<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to {target_lang}: "
languages = { de = "German", zh = "Chinese" }
lora = { rank = 2, alpha = 4, dropout = 0.0, components = ["mlp"] }

[training]
batch_size = 3
learning_rate = 1e-3
warmup_ratio = 0.1
precision = "float32"
seed = 7
save_every = 5
max_steps = 2
"""
MIXTURE = """
format_version = 1
name = "toy"
source = "this test"
seed = 1
speech = "en"
window = 1.0
parts = [{ corpus = "covost2", language = "de", rows = 2 }]
"""
SOURCE = """
format_version = 1
name = "toy"
title = "A file that is there"
licence = "none"
target = "{folder}/fetched"
files = [{{ url = "http://localhost:1/file", path = "file", sha256 = "{sha256}" }}]
"""
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""The sha256 of the bytes `abc`, as NIST's examples of SHA-256 print it."""


@dataclass(frozen=True)
class Place:
    """A folder with everything that the commands read, in which two systems are built, evaluated and packed."""

    folder: Path

    def arguments(self, case: "Case", output: str) -> list[str]:
        """Return the arguments of a case; `output` names what the command writes."""
        shared = {"task": ["--task", str(self.folder / "tiny.toml")], "workdir": ["--workdir", str(self.folder / "w")]}
        given = [each.format(folder=self.folder, output=output, model=MODEL) for each in case.arguments]
        return [case.command, *given, *(each for name in case.shared for each in shared[name])]


@dataclass(frozen=True)
class Case:
    """A call of a command.

    Attributes:
        command: name of the command.
        arguments: its arguments, with fields for the folder and for a new name.
        holds: whether the JSON value shows that the work was done.
        text: a part of the output without `--json`.
        code: the exit code.
        shared: which of the shared options the command has.
    """

    command: str
    arguments: tuple[str, ...]
    holds: Callable[[Any, Place], bool]
    text: str
    code: int = 0
    shared: tuple[str, ...] = ("task", "workdir")


SET = "{folder}/tiny-set.toml"
STAGES = tuple(each for stage in ("build", "evaluate", "leaderboard", "package") for each in ("--stage", stage))
RUN = (*STAGES, "--system", "fp16-finetuned", "--system", "hqq4", "--submission", "{folder}/toy.toml")
IMPORT = ("theirs", "{folder}/theirs.txt", "--test-set", SET, "--direction", "en-de", "--declared-size", "5 MB")
FINETUNE = ("--checkpoint", "{folder}/checkpoint", "--recipe", "{folder}/recipe.toml", "--output", "{folder}/{output}")
CASES = (
    Case("list", (), lambda value, _: "hqq4" in {each["name"] for each in value}, "hqq4", shared=()),
    Case("plan", ("hqq4",), lambda value, _: value["size"]["certainty"] == "exact", "GiB of tensors (exact)"),
    Case(
        "build",
        ("hqq8", "hqq4"),
        lambda value, _: (
            [(each["system"], each["bytes"]) for each in value]
            == [(each["system"], _bytes_in(Path(each["path"]))) for each in value]
        ),
        "bytes",
    ),
    Case("size", ("hqq4", "--limit", "1GB"), lambda value, _: value["pass"], "PASS"),
    Case("size", ("hqq4", "--limit", "1kB"), lambda value, _: not value["pass"], "FAIL", code=1),
    Case(
        "sensitivity",
        ("--parent", "hqq4", "--group-size", "64"),
        lambda value, _: len(value["summary"]) == 2,  # one row for each layer
        "rank",
    ),
    Case("fetch", (), lambda value, _: "acl6060" in {each["name"] for each in value}, "acl6060", shared=()),
    Case(
        "fetch",
        ("{folder}/source.toml",),
        lambda value, _: value[0]["files"]["file"]["sha256"] == ABC,
        ABC,
        shared=("workdir",),
    ),
    Case(
        "segment",
        (SET, "--by", "fixed"),
        lambda value, _: value["segmentation"]["method"].startswith("fixed") and Path(value["file"]).is_file(),
        "- {duration: ",
    ),
    Case(
        "segmenters",
        ("hqq4", "en-de", SET),
        lambda value, _: {"gold", "shas", "silero", "fixed"} <= {each["method"] for each in value},
        "| gold |",
    ),
    Case("generate", ("hqq4", SET, "en-de"), lambda value, _: len(value["hypotheses"]) == len(SENTENCES), "\n"),
    Case("score", ("hqq4", SET, "en-de"), lambda value, _: {"BLEU", "chrF"} == _metrics(value), "chrF"),
    Case("compare", ("fp16-finetuned", "hqq4", SET, "en-de"), lambda value, _: "BLEU" in _metrics(value), "BLEU"),
    Case("ladder", (SET,), lambda value, _: "hqq4" in json.dumps(value), "hqq4"),
    Case(
        "leaderboard",
        ("--evaluate", "hqq4"),
        lambda value, place: value == json.loads((place.folder / "w" / "leaderboard" / "leaderboard.json").read_text()),
        "hqq4",
    ),
    Case("import-hypotheses", IMPORT, lambda value, _: value["lines"] == len(SENTENCES), "declared 5,000,000 bytes"),
    Case("rescore", ("{folder}/submissions",), lambda value, _: len(value["rows"]) == 1, "theirs"),
    Case("rescore", ("{folder}/broken",), lambda value, _: bool(value["findings"]), "cluster", code=1),
    Case("tables", ("diet-kit-1",), lambda value, _: len(value) == 1, "hqq4"),
    Case("pack", ("{folder}/toy.toml",), lambda value, _: value[0]["archive"]["path"].endswith(f"{MODEL}.zip"), MODEL),
    Case("check", ("{folder}/w/submissions/{model}/{model}.zip",), lambda value, _: value == [], "no findings"),
    Case(
        "check",
        ("{folder}/{model}.zip",),
        lambda value, _: "error" in {each["severity"] for each in value},
        "error",
        code=1,
    ),
    Case("run", RUN, lambda value, _: list(value) == ["build", "evaluate", "leaderboard", "package"], "PASS"),
    Case(
        "vocabulary",
        ("{folder}/checkpoint", "--language", "de"),
        lambda value, _: value["vocabulary"]["tokens"] == 256,  # every byte of UTF-8 is a token
        "256 tokens",
        shared=(),
    ),
    Case(
        "training-manifest",
        ("{folder}/mixture.toml", "--covost", "{folder}/covost", "--output", "{folder}/{output}.jsonl"),
        lambda value, _: Path(value["path"]).read_text().count("\n") == value["parts"][0]["rows"] == 2,
        "2 rows",
        shared=(),
    ),
    Case(
        "finetune",
        (*FINETUNE, "--data", "{folder}/data/manifest.jsonl"),
        lambda value, _: (Path(value["path"]) / "model.safetensors").is_file(),
        "text",
        shared=("workdir",),
    ),
)


def _metrics(scores: list[dict[str, Any]]) -> set[str]:
    return {each["metric"] for each in scores}


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("commands")
    profile = write_tiny_task(folder)
    text = profile.read_text().replace('segmentation = "gold"\n', "")
    profile.write_text(text.replace("[roles.finetuned]\n", SEGMENTATION.format(folder=folder)))
    write_checkpoint(folder / "shas.pt")
    write_encoder(folder / "encoder")
    for name, content in (("toy", SUBMISSION), ("recipe", RECIPE), ("mixture", MIXTURE)):
        (folder / f"{name}.toml").write_text(content)
    (folder / "source.toml").write_text(SOURCE.format(folder=folder, sha256=ABC))
    (folder / "fetched").mkdir()
    (folder / "fetched" / "file").write_bytes(b"abc")
    write_manifest(folder / "data")
    _write_covost(folder / "covost")
    lines = "".join(f"{de}\n" for _, de, _ in SENTENCES)
    (folder / "theirs.txt").write_text(lines, encoding="utf-8")
    for name, content in (("submissions", lines), ("broken", "eins\nzwei\n")):
        where = folder / name / "theirs" / "MODELCOMPRESSION" / "TINY"
        where.mkdir(parents=True)
        (where / "en_de.txt").write_text(content, encoding="utf-8")
    with zipfile.ZipFile(folder / f"{MODEL}.zip", "w") as archive:
        archive.writestr("MODELCOMPRESSION/TINY/en_de.txt", "eins\n")
    found = Place(folder)
    (run,) = [case for case in CASES if case.command == "run"]
    done = call(*found.arguments(run, "first"))
    assert done.code == 0, done.err
    return found


def _write_covost(folder: Path) -> None:
    (folder / "clips").mkdir(parents=True)
    rows = ["path\tsentence\ttranslation\tclient_id"]
    for index in range(3):
        write_noise(folder / "clips" / "noise.wav", 0.5, index).rename(folder / "clips" / f"{index}.mp3")
        rows.append(f"{index}.mp3\tSentence {index}.\tSatz {index}.\tspeaker")
    (folder / "covost_v2.en_de.train.tsv").write_text("\n".join(rows) + "\n")


def test_every_command_is_tested() -> None:
    """Forbids a command that no test below starts."""
    assert {case.command for case in CASES} == set(COMMANDS.names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.command}-{case.code}")
def test_json_is_one_value(place: Place, case: Case) -> None:
    """Forbids several values, or anything else, on stdout with --json; also when the exit code is 1."""
    done = call(*place.arguments(case, "json"), "--json")
    assert done.code == case.code, done.err
    assert done.out.count("\n") == 1
    assert case.holds(json.loads(done.out), place)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.command}-{case.code}")
def test_text_without_json(place: Place, case: Case) -> None:
    """Forbids that a command prints JSON without --json, or exits with another code than with it."""
    done = call(*place.arguments(case, "text"))
    assert done.code == case.code, done.err
    assert case.text in done.out
    assert not done.out.startswith(("{", "["))
