"""A model in memory with its processor; loaded on first use, so that stored results cost no loading."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.audio.recording import RATE
from harness.core.errors import UserError
from harness.inference.encoder_cache import EncoderCache, audio_tower

if TYPE_CHECKING:
    from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor

    from harness.compression.artifact import Artifact


@dataclass(frozen=True)
class Engine:
    """A model in memory, ready to hear.

    Attributes:
        model: the model in evaluation mode.
        processor: its tokenizer, feature extractor and chat template.
        device: torch's name of the device that it lies on.
        encoder_cache: what its audio tower made of the batches that it translated.
    """

    model: "Qwen2AudioForConditionalGeneration"
    processor: "Qwen2AudioProcessor"
    device: str
    encoder_cache: EncoderCache = field(default_factory=EncoderCache, compare=False, repr=False)

    @property
    def window(self) -> float:
        """Seconds of audio that the model hears at most; more would be cut silently by the feature extractor."""
        return float(self.processor.feature_extractor.n_samples / RATE)

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Tokens that end a translation: those of the generation settings, the language model and the tokenizer.

        The base model ends with `<|endoftext|>`, the instruct model with `<|im_end|>`, and not every checkpoint states
        both.

        Raises:
            UserError: the checkpoint names none, so that no translation would ever end.
        """
        stated = (
            self.model.generation_config.eos_token_id,
            self.model.config.text_config.eos_token_id,
            self.processor.tokenizer.eos_token_id,
        )
        tokens = {token for value in stated for token in _as_list(value)}
        if not tokens:
            raise UserError("The checkpoint names no end token: state eos_token_id in its generation_config.json.")
        return tuple(sorted(tokens))

    @property
    def pad_token(self) -> int:
        """Token that fills a batch up; the attention mask hides it from the model."""
        pad = self.processor.tokenizer.pad_token_id
        return self.end_tokens[0] if pad is None else int(pad)


EngineLoader = Callable[[], Engine]
"""Loads the model when it is called first, and returns the same engine ever after."""


def _as_list(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def lazily(artifact: "Artifact", device: str = "cpu", dtype: str | None = None) -> EngineLoader:
    """Return a loader of an artifact's model.

    Args:
        artifact: what to load.
        device: torch's name of the device.
        dtype: torch's name of the type to compute in; by default the device's own.
    """

    def load() -> Engine:
        from harness.inference.load import load_model, load_processor

        return checked(Engine(load_model(artifact, device, dtype), load_processor(artifact), device))

    return functools.cache(load)


def checked(engine: Engine) -> Engine:
    """Return the engine after comparing its reader with its model.

    Raises:
        UserError: the feature extractor does not make what the audio tower takes.
    """
    reader, audio = engine.processor.feature_extractor, engine.model.config.audio_config
    if reader.sampling_rate != RATE:
        raise UserError(f"The checkpoint hears at {reader.sampling_rate} Hz instead of {RATE} Hz: use Qwen2-Audio.")
    made, taken = (reader.feature_size, reader.nb_max_frames), (audio.num_mel_bins, 2 * audio.max_source_positions)
    if made != taken:
        raise UserError(
            f"The checkpoint's preprocessor_config.json makes {made[0]} x {made[1]} features, but its audio tower "
            f"takes {taken[0]} x {taken[1]}: restore the preprocessor_config.json that belongs to the weights."
        )
    return engine


@contextmanager
def require_audio_input(model: Any) -> Iterator[None]:
    """Watch the audio tower while the model runs.

    `processor(audios=...)` and an input that is dropped on the way leave the model translating from the prompt alone,
    fluently and without an error.

    Raises:
        RuntimeError: the model ran to its end without hearing anything.
    """
    heard: list[int] = []
    watch = audio_tower(model).register_forward_pre_hook(lambda _module, inputs: heard.append(len(inputs)))
    try:
        yield
    finally:
        watch.remove()
    if not heard:
        raise RuntimeError("the model ran without its audio tower: no input_features reached it")
