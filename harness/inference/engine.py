"""A model in memory with its processor."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.audio.recording import RATE
from harness.core.errors import UserError
from harness.inference.encoder_cache import EncoderCache, audio_tower

if TYPE_CHECKING:
    from transformers import Qwen2AudioForConditionalGeneration, Qwen2AudioProcessor


@dataclass(frozen=True)
class Engine:
    """A model in memory with its processor.

    Attributes:
        model: in evaluation mode.
        processor: its tokenizer, feature extractor and chat template.
        device: torch's name of the model's device.

    Raises:
        UserError: the feature extractor does not fit the audio encoder.
    """

    model: "Qwen2AudioForConditionalGeneration"
    processor: "Qwen2AudioProcessor"
    device: str
    encoder_cache: EncoderCache = field(default_factory=EncoderCache, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Compare the feature extractor with the audio encoder, whose own error would be a shape mismatch."""
        extractor, audio = self.processor.feature_extractor, self.model.config.audio_config
        if extractor.sampling_rate != RATE:
            raise UserError(
                f"The checkpoint takes audio at {extractor.sampling_rate} Hz instead of {RATE} Hz: use Qwen2-Audio."
            )
        given = f"{extractor.feature_size} x {extractor.nb_max_frames}"
        needed = f"{audio.num_mel_bins} x {2 * audio.max_source_positions}"
        if given != needed:
            raise UserError(
                f"The checkpoint's preprocessor_config.json yields {given} features, but its audio encoder takes "
                f"{needed}: restore the preprocessor_config.json of these weights."
            )

    @property
    def window(self) -> float:
        """The model's audio window in seconds; the feature extractor would silently cut longer audio."""
        return float(self.processor.feature_extractor.n_samples / RATE)

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Tokens that end an output: those of the generation settings, the language model and the tokenizer.

        The base model ends with `<|endoftext|>`, the instruct model with `<|im_end|>`; not every checkpoint has both.

        Raises:
            UserError: the checkpoint names none, so that every output would run to the limit.
        """
        settings = (self.model.generation_config, self.model.config.text_config, self.processor.tokenizer)
        tokens = {token for each in settings for token in _as_list(each.eos_token_id)}
        if not tokens:
            raise UserError("The checkpoint names no end token: state eos_token_id in its generation_config.json.")
        return tuple(sorted(tokens))

    @property
    def pad_token(self) -> int:
        """Token that pads a batch; the attention mask hides it from the model."""
        pad = self.processor.tokenizer.pad_token_id
        return self.end_tokens[0] if pad is None else int(pad)


EngineLoader = Callable[[], Engine]
"""Loads a model on the first call, and returns the same engine on every further call."""


def _as_list(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


@contextmanager
def require_audio_input(model: Any) -> Iterator[None]:
    """Check that the audio encoder runs inside the block.

    `processor(audios=...)`, an argument that it ignores, and inputs that are lost on the way leave the model generating
    fluent text from the prompt alone, without an error.

    Raises:
        RuntimeError: the block ended without a call of the audio encoder.
    """
    calls: list[int] = []
    hook = audio_tower(model).register_forward_pre_hook(lambda _module, inputs: calls.append(len(inputs)))
    try:
        yield
    finally:
        hook.remove()
    if not calls:
        raise RuntimeError("the model ran without its audio encoder: no input_features reached it")
