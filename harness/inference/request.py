"""What is asked of a model: which recordings to translate, how they are cut, and how it is prompted and run."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from harness.config.language_pair import LanguagePair
from harness.config.task import Decoding, Prompt
from harness.core.files import key_of
from harness.inference.generation_store import FORMAT
from harness.inference.load import default_dtype
from harness.testsets.segments import Segmentation
from harness.testsets.testset import TestSet

if TYPE_CHECKING:
    from harness.compression.artifact import Artifact

LIBRARIES = ("bitsandbytes", "numpy", "scipy", "tokenizers", "torch", "transformers")
"""Libraries whose versions change what a model says."""


@dataclass(frozen=True)
class GenerationRequest:
    """What is to be translated, by what, and how.

    Attributes:
        artifact: the model.
        test_set: the recordings.
        segmentation: which stretches of them, in which order.
        language_pair: into which language.
        prompt: how the model is asked.
        decoding: settings of greedy decoding.
        device: torch's name of the device, e.g. `cpu` or `cuda:0`.
        dtype: torch's name of the type to compute in; None for the device's own.
    """

    artifact: "Artifact"
    test_set: TestSet
    segmentation: Segmentation
    language_pair: LanguagePair
    prompt: Prompt
    decoding: Decoding
    device: str = "cpu"
    dtype: str | None = None

    @property
    def system(self) -> str:
        """The system's name, for people."""
        return self.artifact.manifest.system

    @property
    def computing(self) -> tuple[str, str]:
        """Kind of device, and type to compute in."""
        return self.device.partition(":")[0], self.dtype or default_dtype(self.device)

    @cached_property
    def conditions(self) -> tuple[object, ...]:
        """Everything requested that changes what the model computes, for keys; a batch changes rounding."""
        return (
            self.artifact.id,
            self.test_set.key,
            self.segmentation.key,
            self.language_pair.target_name,
            (self.prompt.text, self.prompt.chat),
            self.decoding.batch_size,
            self.computing,
            [(name, version(name)) for name in LIBRARIES],
        )

    @cached_property
    def key(self) -> str:
        """sha256 that names the translations."""
        guards = self.decoding.guards.signature
        extra = [guards] if guards else []
        return key_of(["generate", FORMAT, self.conditions, self.decoding.max_new_tokens, *extra])

    @property
    def signature(self) -> str:
        """The requested settings in one line."""
        prompt = hashlib.sha256(self.prompt.text.replace("{target_lang}", self.language_pair.target_name).encode())
        parts = {
            "decode": "greedy",
            "batch": self.decoding.batch_size,
            "max": self.decoding.max_new_tokens,
            **self.decoding.guards.signature,
            "prompt": ("chat-" if self.prompt.chat else "") + prompt.hexdigest()[:8],
            "segments": self.segmentation.method,
            "device": self.computing[0],
            "dtype": self.computing[1],
            "torch": version("torch"),
            "transformers": version("transformers"),
        }
        return "|".join(f"{name}:{value}" for name, value in parts.items())
