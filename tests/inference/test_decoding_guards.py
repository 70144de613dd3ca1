"""Decoding guards: limits by audio length, and a second attempt for repetitive outputs."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.config.decoding_guards import DecodingGuards, LengthBound, RepeatGuard
from harness.config.task import Decoding
from harness.core.errors import UserError
from harness.core.manifests import read_toml
from harness.core.workdir import WorkDir
from harness.inference.decoding import Decoded, DecodingConstraints, decode
from harness.inference.generate import generate
from harness.inference.hypothesis import StopReason
from harness.inference.output_flags import Flag, flags_of
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest
from tests.helpers.tiny_engine import TinySystem

GUARD = DecodingGuards(repeat_guard=RepeatGuard(no_repeat_ngram=2))


def guarded(tiny: TinySystem, guards: DecodingGuards | None = None, tokens: int = 24) -> GenerationRequest:
    return tiny.request(decoding=Decoding(batch_size=3, max_new_tokens=tokens, guards=guards or DecodingGuards()))


def test_the_bound_grows_with_the_audio_and_ends_at_the_limit(tiny: TinySystem) -> None:
    """Forbids another formula than min(limit, base + rate * seconds), rounded up; by hand for 0.99 s and 1.01 s."""
    bound = LengthBound(base=5, per_second=10)
    assert (bound.tokens(0), bound.tokens(0.99), bound.tokens(1.01)) == (5, 15, 16)
    example = tiny.examples(count=1)[0]
    seconds = guarded(tiny).segmentation.segments[0].duration
    assert example.features.seconds == pytest.approx(seconds, abs=0.01)
    constraints = DecodingConstraints(bound)
    assert constraints.limit(example, 200) == bound.tokens(example.features.seconds)
    assert constraints.limit(example, 7) == 7


def test_a_bound_only_cuts(tiny: TinySystem) -> None:
    """Forbids that a bound changes the text before it, or that one example's bound ends other examples."""
    examples = tiny.examples()
    constraints = DecodingConstraints(LengthBound(base=2, per_second=6))
    free, bounded = decode(tiny.engine, examples, 24), decode(tiny.engine, examples, 24, constraints)
    limits = [constraints.limit(example, 24) for example in examples]
    assert len(set(limits)) > 2
    assert any(decoded.tokens > limit for decoded, limit in zip(free, limits, strict=True))
    for full, part, limit in zip(free, bounded, limits, strict=True):
        assert part.tokens == min(full.tokens, limit)
        assert full.text.startswith(part.text)
        assert part.stop is (full.stop if full.tokens <= limit else StopReason.LENGTH)


def test_no_ngram_occurs_twice_in_the_second_attempt(tiny: TinySystem) -> None:
    """Forbids a repetitive second attempt, by the rule of the flags."""
    examples = tiny.examples()
    free = decode(tiny.engine, examples, 40)
    second = decode(tiny.engine, examples, 40, DecodingConstraints(no_repeat_ngram=2))
    assert [decoded.text for decoded in free] != [decoded.text for decoded in second]
    for decoded in second:
        assert Flag.REPEATS not in flags_of(decoded.text, "de")


def _script(monkeypatch: pytest.MonkeyPatch, texts: dict[int, list[str]]) -> list[tuple[int, int]]:
    """Replace `decode` by one that returns given texts by n-gram setting; return the arguments of its calls."""
    calls: list[tuple[int, int]] = []

    def scripted(_engine: Any, examples: list[Example], _limit: int, constraints: DecodingConstraints) -> list[Decoded]:
        calls.append((len(examples), constraints.no_repeat_ngram))
        lines = texts[constraints.no_repeat_ngram]
        return [Decoded(lines.pop(0), 3, StopReason.EOS, 1.0, len(examples)) for _ in examples]

    monkeypatch.setattr("harness.inference.generate.decode", scripted)
    return calls


LOOP = "da da da da"


def test_only_repetitive_outputs_are_decoded_again_and_once(
    tiny: TinySystem, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a third attempt, a second one for good outputs, and losing the count or the time of both."""
    first = ["gut", LOOP, "gut", LOOP] + ["gut"] * 8
    calls = _script(monkeypatch, {0: first, 2: ["besser", LOOP]})
    made = generate(guarded(tiny, GUARD), workdir, lambda: tiny.engine)
    assert calls == [(3, 0), (1, 2), (3, 0), (1, 2), (3, 0), (3, 0)]
    twice = [row for row in made.hypotheses if row.attempts == 2]
    assert {(row.text, row.seconds, row.batch_size, row.halved) for row in twice} == {
        ("besser", 2.0, 1, False),
        (LOOP, 2.0, 3, False),
    }
    assert {row.attempts for row in made.hypotheses if row.text == "gut"} == {1}


def test_without_the_guard_nothing_is_decoded_again(
    tiny: TinySystem, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids that the guard is on by default, and that repetitions are not reported."""
    calls = _script(monkeypatch, {0: [LOOP] * 12})
    made = generate(guarded(tiny), workdir, lambda: tiny.engine)
    assert len(calls) == 4
    assert {(row.text, row.attempts) for row in made.hypotheses} == {(LOOP, 1)}
    assert "flags on 12 translations: 12 repeats" in capsys.readouterr().err


def test_guards_enter_key_and_signature(tiny: TinySystem) -> None:
    """Forbids that guarded translations are used as plain ones, or have an equal key with other settings."""
    plain = guarded(tiny)
    keys = {plain.key}
    for guards in (
        GUARD,
        DecodingGuards(repeat_guard=RepeatGuard(no_repeat_ngram=3)),
        DecodingGuards(length_bound=LengthBound(base=8, per_second=12)),
        DecodingGuards(length_bound=LengthBound(base=8, per_second=12.5)),
    ):
        request = guarded(tiny, guards)
        keys.add(request.key)
        assert request.signature != plain.signature
    assert len(keys) == 5
    assert "bound:8+12.5/s" in request.signature
    assert "bound" not in plain.signature
    assert "guard" not in plain.signature


def test_guards_can_be_restricted_to_sets() -> None:
    """Forbids that an option for the blind sets changes the key of the others."""
    decoding = Decoding(batch_size=1, max_new_tokens=9, guards=msgspec.structs.replace(GUARD, sets=("TVSERIES",)))
    assert decoding.on("demo-TVSERIES", "TVSERIES") == Decoding(batch_size=1, max_new_tokens=9, guards=GUARD)
    assert decoding.on("demo-eval", "DEMOEVAL") == Decoding(batch_size=1, max_new_tokens=9)


@pytest.mark.parametrize(
    "table",
    [
        "guards.repeat_guard.no_repeat_ngram = 1",
        "guards.length_bound = { base = 0, per_second = 3 }",
        "guards.length_bound = { base = 3, per_second = inf }",
        "guards.repeatguard = 3",
    ],
)
def test_invalid_settings_are_refused(tmp_path: Path, table: str) -> None:
    """Forbids a bound of zero tokens, n-grams of one token, and misspelt options."""
    path = tmp_path / "decoding.toml"
    path.write_text(f"format_version = 1\nbatch_size = 1\nmax_new_tokens = 5\n{table}\n")
    with pytest.raises(UserError, match=r"guards|repeat_guard|length_bound"):
        read_toml(path, Decoding, 1)
