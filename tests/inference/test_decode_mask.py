"""The attention mask of a decoding step, against transformers' own."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers.masking_utils import causal_mask_function, sdpa_mask, sliding_window_causal_mask_function

from harness.inference.decode_mask import decode_mask, light_decode_masks
from harness.inference.decoding import decode
from harness.inference.examples import Reader
from tests.helpers.tiny_engine import load_engine, request_for, tiny_artifact, tiny_test_set

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
    asked = {**STEP, **change}
    wanted, found = sdpa_mask(**asked), decode_mask(**asked)
    if wanted is None or found is None:
        assert wanted is found
    else:
        assert torch.equal(wanted, found)


@pytest.mark.parametrize("name", ["a step", "nothing is padding"])
def test_a_step_takes_no_detour(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that every step is passed on after all."""
    monkeypatch.setattr("transformers.masking_utils.sdpa_mask", None)
    asked: dict[str, Any] = {**STEP, **OTHERS[name]}
    decode_mask(**asked)


def test_only_the_prompt_of_a_real_batch_takes_a_detour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that a library asks in another way, so that its steps are passed on unnoticed."""
    artifact = tiny_artifact(tmp_path)
    engine = load_engine(artifact)
    reader = Reader(request_for(artifact, tiny_test_set(tmp_path)), engine)
    asked: list[int] = []

    def noted(**question: Any) -> Any:
        asked.append(len(question["cache_position"]))
        return sdpa_mask(**question)

    monkeypatch.setattr("transformers.masking_utils.sdpa_mask", noted)
    answers = decode(engine, [reader.read(index) for index in range(3)], 5)
    assert max(answer.tokens for answer in answers) > 2
    assert len(asked) == 1
    assert asked[0] > 1


def test_transformers_masks_come_back() -> None:
    """Forbids that models outside the block, in training for example, get another mask function."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    before = ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
    with suppress(ValueError), light_decode_masks():
        inside = ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
        raise ValueError
    assert inside is decode_mask
    assert ALL_MASK_ATTENTION_FUNCTIONS["sdpa"] is before
