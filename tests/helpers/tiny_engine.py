"""A tiny random model as a built artifact in memory, a tiny test set, and requests for both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.compression.artifact import Artifact
from harness.compression.build import build
from harness.config.language_pair import LanguagePair
from harness.config.task import Decoding, Prompt
from harness.core.workdir import WorkDir, open_workdir
from harness.inference.engine import Engine
from harness.inference.examples import ExampleReader
from harness.inference.load import engine_loader
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest
from harness.models.checkpoint import open_checkpoint
from harness.testsets.load import load_test_set
from harness.testsets.testset import TestSet
from tests.helpers.recipes import plan_for
from tests.helpers.tiny_corpus import rows, write_corpus, write_manifest
from tests.helpers.tiny_model import write_tiny_model

GERMAN = LanguagePair(source="en", target="de", target_name="German")
BASE = Prompt(text="<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to {target_lang}: \n")
CHAT = Prompt(text="Translate this English speech into {target_lang}.", chat=True)


def tiny_artifact(folder: Path) -> Artifact:
    """Build a tiny model, 16 bit, and return its artifact."""
    checkpoint = open_checkpoint(write_tiny_model(folder / "checkpoint"))
    return build(checkpoint, plan_for(checkpoint, "raw"), "untuned", open_workdir(str(folder / "build")))


def tiny_test_set(folder: Path, per_talk: int = 4) -> TestSet:
    """Write and import a corpus of three talks."""
    write_corpus(folder / "corpus" / "eval", rows(per_talk))
    return load_test_set(write_manifest(folder / "tiny.toml", folder / "corpus"), WorkDir(folder / "work"))


def request_for(artifact: Artifact, test_set: TestSet, /, **changes: Any) -> GenerationRequest:
    """Return a request for the gold segments in batches of two, with some fields changed."""
    assert test_set.gold is not None
    fields: dict[str, Any] = {
        "artifact": artifact,
        "test_set": test_set,
        "segmentation": test_set.gold,
        "language_pair": GERMAN,
        "prompt": BASE,
        "decoding": Decoding(batch_size=2, max_new_tokens=12),
    }
    return GenerationRequest(**{**fields, **changes})


def load_engine(artifact: Artifact) -> Engine:
    """Load the model in float32, and make torch compute on one thread."""
    import torch

    torch.set_num_threads(1)
    return engine_loader(artifact)()


@dataclass(frozen=True)
class TinySystem:
    """A built artifact with its engine, and a test set of 12 segments; tests share one and must not change it."""

    artifact: Artifact
    test_set: TestSet
    engine: Engine

    def request(self, **changes: Any) -> GenerationRequest:
        """Return `request_for` the artifact and the test set."""
        return request_for(self.artifact, self.test_set, **changes)

    def examples(self, prompt: Prompt = BASE, count: int = 6) -> list[Example]:
        """Return the first segments as examples."""
        reader = ExampleReader(self.request(prompt=prompt), self.engine)
        return [reader.read(index) for index in range(count)]


def no_engine() -> Engine:
    """Fail: a loader that must not be called."""
    raise AssertionError("the model was loaded, though everything was stored")


class Counting:
    """A loader that counts its calls."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.calls = 0

    def __call__(self) -> Engine:
        """Return the engine."""
        self.calls += 1
        return self.engine
