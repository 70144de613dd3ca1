"""Requests: which recordings to translate, how they are segmented, and how the model is prompted and run."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

from harness.config.language_pair import LanguagePair
from harness.config.task import Decoding, Prompt
from harness.inference.generation_store import HYPOTHESES
from harness.inference.load import default_dtype
from harness.testsets.segments import Segmentation
from harness.testsets.testset import TestSet

if TYPE_CHECKING:
    from harness.compression.artifact import Artifact

LIBRARIES = ("bitsandbytes", "numpy", "scipy", "tokenizers", "torch", "transformers")
"""Libraries whose versions change what a model computes."""


@dataclass(frozen=True)
class GenerationRequest:
    """What is to be translated, by which model, and how.

    Attributes:
        artifact: the model.
        test_set: the recordings.
        decoding: settings of greedy decoding.
        device: torch's name of the device, e.g. `cpu` or `cuda:0`.
        dtype: torch's name of the type to compute in; None for the default of the device.
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
        """The system's name, for display."""
        return self.artifact.manifest.system

    @property
    def computing(self) -> tuple[str, str]:
        """Kind of device, e.g. `cuda`, and type to compute in."""
        return self.device.partition(":")[0], self.dtype or default_dtype(self.device)

    @cached_property
    def conditions(self) -> dict[str, object]:
        """Everything that changes what the model computes for an example, as JSON-ready values for content keys."""
        device, dtype = self.computing
        return {
            "artifact": self.artifact.id,
            "test_set": self.test_set.key,
            "segmentation": self.segmentation.key,
            "target": self.language_pair.target_name,
            "prompt": self.prompt.text,
            "chat": self.prompt.chat,
            "batch_size": self.decoding.batch_size,  # changes rounding
            "device": device,
            "dtype": dtype,
            "libraries": {name: version(name) for name in LIBRARIES},
        }

    @cached_property
    def inputs(self) -> dict[str, object]:
        """Everything that determines the hypotheses, as JSON-ready values."""
        decoding = self.decoding
        return {**self.conditions, "max_new_tokens": decoding.max_new_tokens, "guards": decoding.guards.signature}

    @cached_property
    def key(self) -> str:
        """Content key of the hypotheses."""
        return HYPOTHESES.key(self.inputs)

    @property
    def signature(self) -> str:
        """The requested settings in one line."""
        prompt = hashlib.sha256(self.prompt.text.replace("{target_lang}", self.language_pair.target_name).encode())
        device, dtype = self.computing
        parts = {
            "decode": "greedy",
            "batch": self.decoding.batch_size,
            "max": self.decoding.max_new_tokens,
            **self.decoding.guards.signature,
            "prompt": ("chat-" if self.prompt.chat else "") + prompt.hexdigest()[:8],
            "segments": self.segmentation.method,
            "device": device,
            "dtype": dtype,
            **{name: version(name) for name in ("torch", "transformers")},
        }
        return "|".join(f"{name}:{value}" for name, value in parts.items())
