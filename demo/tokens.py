"""The byte-level BPE tokenizer and the processor, in the format of Qwen2-Audio."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2AudioProcessor,
    Qwen2TokenizerFast,
    WhisperFeatureExtractor,
)

from demo.prompts import CHAT, PLAIN

VOCABULARY = 1024
SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>",
    "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>",
)  # fmt: skip
# The regular expression of Qwen2: single digits, words with the preceding space.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SECONDS = 6


def _prompt_words() -> list[str]:
    text = [prompt.text(language) for prompt in (PLAIN, CHAT) for language in prompt.after]
    for special in SPECIALS:
        text = [line.replace(special, " ") for line in text]
    return text


def train_tokenizer(lines: Iterable[str], folder: Path) -> None:
    """Train and save the tokenizer; every word of the prompts becomes one token."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*lines, *(_prompt_words() * 3000)], trainer)
    Qwen2TokenizerFast(
        tokenizer_object=bpe,
        unk_token=None,
        bos_token=None,
        eos_token=SPECIALS[0],
        pad_token=SPECIALS[0],
        additional_special_tokens=list(SPECIALS[1:]),
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    ).save_pretrained(folder)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the tokenizer."""
    tokenizer: PreTrainedTokenizerFast = Qwen2TokenizerFast.from_pretrained(folder)
    return tokenizer


def feature_extractor() -> WhisperFeatureExtractor:
    """Return Whisper's feature extractor with Qwen2-Audio's 128 bands and a short window."""
    return WhisperFeatureExtractor(feature_size=128, chunk_length=SECONDS, return_attention_mask=True)


def save_processor(tokenizer_folder: Path, folder: Path) -> None:
    """Write every file that ``AutoProcessor.from_pretrained`` reads."""
    processor = Qwen2AudioProcessor(feature_extractor(), load_tokenizer(tokenizer_folder))
    processor.save_pretrained(folder)
