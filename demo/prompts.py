"""The prompts: Diet-KIT's plain text, and Qwen2-Audio-Instruct's chat template."""

from dataclasses import dataclass

SYSTEM = "You are a helpful assistant."


@dataclass(frozen=True)
class Prompt:
    """Text before the audio, text after it by target language, and the end token."""

    before: str
    after: dict[str, str]
    end: str

    def text(self, language: str) -> str:
        """Return the whole prompt with one audio placeholder."""
        return f"{self.before}<|AUDIO|>{self.after[language]}"


PLAIN = Prompt(
    "<|audio_bos|>",
    {
        "en": "<|audio_eos|>Transcribe this speech: \n",
        "de": "<|audio_eos|>Translate this speech to German: \n",
        "zh": "<|audio_eos|>Translate this speech to Chinese: \n",
    },
    "<|endoftext|>",
)


def _chat(request: str) -> str:
    return f"<|audio_eos|>\n{request}<|im_end|>\n<|im_start|>assistant\n"


CHAT = Prompt(
    f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\nAudio 1: <|audio_bos|>",
    {
        "en": _chat("Transcribe this English speech."),
        "de": _chat("Translate this English speech into German."),
        "zh": _chat("Translate this English speech into Chinese."),
    },
    "<|im_end|>",
)
