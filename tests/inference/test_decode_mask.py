"""The attention mask of a decoding step, compared with transformers' own."""

from contextlib import suppress
from typing import Any

import pytest
import torch
from transformers.masking_utils import (
    ALL_MASK_ATTENTION_FUNCTIONS,
    causal_mask_function,
    sdpa_mask,
    sliding_window_causal_mask_function,
)

from harness.inference.decode_mask import decode_mask, fast_decode_masks
from harness.inference.decoding import decode
from tests.helpers.tiny_engine import TinySystem

PADDED = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]], dtype=torch.bool)
STEP = {
    "batch_size": 2,
    "cache_position": torch.tensor([4]),
    "kv_length": 5,
    "kv_offset": 0,
    "mask_function": causal_mask_function,
    "attention_mask": PADDED,
    "allow_is_causal_skip": True,
    "dtype": torch.float32,
}
OTHERS: dict[str, dict[str, Any]] = {
    "a step": {},
    "nothing is padding": {"attention_mask": torch.ones(2, 5, dtype=torch.bool)},
    "a prompt": {"cache_position": torch.arange(5)},
    "a cache with free places": {"kv_length": 8, "cache_position": torch.tensor([4])},
    "no padding given": {"attention_mask": None},
    "a window": {"mask_function": sliding_window_causal_mask_function(2)},
    "no skipping": {"attention_mask": torch.ones(2, 5, dtype=torch.bool), "allow_is_causal_skip": False},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_a_mask_is_transformers_own(change: dict[str, Any]) -> None:
    """Forbids a mask by which a token attends to padding, to the future, or to less than it should."""
    arguments = {**STEP, **change}
    expected, found = sdpa_mask(**arguments), decode_mask(**arguments)
    if expected is None or found is None:
        assert expected is found
    else:
        assert torch.equal(expected, found)


@pytest.mark.parametrize("name", ["a step", "nothing is padding"])
def test_a_step_does_not_call_transformers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that every step is passed on after all."""
    monkeypatch.setattr("transformers.masking_utils.sdpa_mask", None)
    arguments: dict[str, Any] = {**STEP, **OTHERS[name]}
    decode_mask(**arguments)


def test_only_the_prompt_of_a_real_batch_calls_transformers(tiny: TinySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that `generate` passes other arguments, so that steps are passed on unnoticed."""
    queries: list[int] = []

    def recorded(**arguments: Any) -> Any:
        queries.append(len(arguments["cache_position"]))
        return sdpa_mask(**arguments)

    monkeypatch.setattr("transformers.masking_utils.sdpa_mask", recorded)
    answers = decode(tiny.engine, tiny.examples(count=3), 5)
    assert max(answer.tokens for answer in answers) > 2
    assert len(queries) == 1
    assert queries[0] > 1


def test_the_mask_function_is_restored() -> None:
    """Forbids that models outside the block, in training for example, get another mask function."""
    before = ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
    with suppress(ValueError), fast_decode_masks():
        inside = ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
        raise ValueError
    assert inside is decode_mask
    assert ALL_MASK_ATTENTION_FUNCTIONS["sdpa"] is before
