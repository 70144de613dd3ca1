"""Greedy decoding of one batch, compared with one whole forward pass per token."""

from collections.abc import Sequence

import pytest
import torch

from harness.core.errors import UserError
from harness.inference.decoding import collapse_line_breaks, decode
from harness.inference.engine import Engine
from harness.inference.hypothesis import StopReason
from harness.inference.prompting import Example, left_padded
from tests.helpers.tiny_engine import TinySystem


def argmax_decoding(engine: Engine, example: Example, limit: int) -> list[int]:
    """Greedy decoding by its definition: a whole forward pass per token, no cache, no generation settings."""
    tokens: list[int] = []
    while len(tokens) < limit and (not tokens or tokens[-1] not in engine.end_tokens):
        batch = left_padded(engine, [example])
        ids = torch.tensor([[*example.prompt, *tokens]])
        inputs = {**batch.arguments(), "input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with torch.inference_mode():
            tokens.append(int(engine.model(**inputs).logits[0, -1].argmax()))
    return tokens


def text_of(engine: Engine, tokens: Sequence[int]) -> str:
    return collapse_line_breaks(engine.processor.tokenizer.decode(tokens, skip_special_tokens=True))


def test_decoding_is_greedy_by_definition(tiny: TinySystem) -> None:
    """Forbids anything but argmax, and wrong stops."""
    examples = tiny.examples()
    texts = set()
    for example, decoded in zip(examples, decode(tiny.engine, examples, 20), strict=True):
        expected = argmax_decoding(tiny.engine, example, 20)
        assert decoded.text == text_of(tiny.engine, expected)
        assert decoded.tokens == len(expected)
        assert decoded.stop is (StopReason.EOS if expected[-1] == 258 else StopReason.LENGTH)
        texts.add(decoded.text)
    assert len(texts) > 3


def test_an_end_token_ends_the_output(tiny: TinySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that tokens after the end are part of the text: a token within an output is declared an end token."""
    example = max(tiny.examples(), key=lambda each: len(set(argmax_decoding(tiny.engine, each, 12))))
    tokens = argmax_decoding(tiny.engine, example, 12)
    place = max(tokens.index(token) for token in tokens)
    assert 0 < place < 11
    monkeypatch.setattr(tiny.engine.model.generation_config, "eos_token_id", [258, tokens[place]])
    decoded = decode(tiny.engine, [example], 12)[0]
    assert (decoded.tokens, decoded.stop) == (place + 1, StopReason.EOS)


def test_sampling_settings_of_the_checkpoint_are_ignored(tiny: TinySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that an instruct checkpoint's temperature or repetition penalty change a greedy translation."""
    examples = tiny.examples(count=3)
    expected = [decoded.text for decoded in decode(tiny.engine, examples, 20)]
    settings = {"do_sample": True, "temperature": 9.0, "top_k": 20, "repetition_penalty": 5.0, "num_beams": 3}
    for name, value in settings.items():
        monkeypatch.setattr(tiny.engine.model.generation_config, name, value)
    assert [decoded.text for decoded in decode(tiny.engine, examples, 20)] == expected


def test_padding_does_not_change_the_text(tiny: TinySystem) -> None:
    """Forbids an influence of other examples in the batch: in float32, six together give the texts of each alone."""
    examples = tiny.examples()
    assert len({len(example.prompt) for example in examples}) > 1
    together = [decoded.text for decoded in decode(tiny.engine, examples, 20)]
    assert together == [decode(tiny.engine, [example], 20)[0].text for example in examples]


def test_line_breaks_of_every_kind_become_spaces() -> None:
    """Forbids an output of two lines, which would shift all lines after it."""
    assert collapse_line_breaks(" a\nb \r\n\n c\u2028d\x0be\x85f ") == "a b c d e f"
    assert not collapse_line_breaks("\n")


def test_a_model_that_computes_nan_is_refused(tiny: TinySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids translations picked from NaN."""
    head = tiny.engine.model.get_output_embeddings()
    monkeypatch.setattr(head, "forward", lambda hidden: torch.full((*hidden.shape[:-1], 320), torch.nan))
    with pytest.raises(UserError, match="computes NaN"):
        decode(tiny.engine, tiny.examples(count=1), 3)
