"""DecodingGuards in decoding: bounds by audio length, and a second attempt where an answer repeats itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.compression.artifact import Artifact
from harness.config.decoding_guards import DecodingGuards, LengthBound, RepeatGuard
from harness.config.task import Decoding
from harness.core.manifests import read_toml
from harness.core.workdir import WorkDir
from harness.inference import generate as verb
from harness.inference.decoding import Decoded, DecodingConstraints, decode
from harness.inference.engine import Engine
from harness.inference.examples import Reader
from harness.inference.generate import generate
from harness.inference.hypothesis import Stop
from harness.inference.output_flags import Flag, flags_of
from harness.inference.prompting import Example
from harness.inference.request import GenerationRequest
from harness.testsets.testset import TestSet
from tests.helpers.tiny_engine import load_engine, request_for, tiny_artifact, tiny_test_set

GUARD = DecodingGuards(repeat_guard=RepeatGuard(no_repeat_ngram=2))


@dataclass(frozen=True)
class Bench:
    """What the tests of this module share; none of them changes it."""

    artifact: Artifact
    test_set: TestSet
    engine: Engine

    def request(self, guards: DecodingGuards | None = None, tokens: int = 24) -> GenerationRequest:
        decoding = Decoding(batch_size=3, max_new_tokens=tokens, guards=guards or DecodingGuards())
        return request_for(self.artifact, self.test_set, decoding=decoding)

    def examples(self, count: int = 6) -> list[Example]:
        reader = Reader(self.request(), self.engine)
        return [reader.read(index) for index in range(count)]


@pytest.fixture(scope="module")
def under_test(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("under_test")
    artifact = tiny_artifact(folder)
    return Bench(artifact, tiny_test_set(folder), load_engine(artifact))


def test_the_bound_grows_with_the_audio_and_ends_at_the_limit(under_test: Bench) -> None:
    """Forbids another formula than min(limit, base + rate * seconds), rounded up; by hand for 0.99 s and 1.01 s."""
    bound = LengthBound(base=5, per_second=10)
    assert (bound.tokens(0), bound.tokens(0.99), bound.tokens(1.01)) == (5, 15, 16)
    example = under_test.examples(1)[0]
    seconds = under_test.request().segmentation.segments[0].duration
    assert example.features.seconds == pytest.approx(seconds, abs=0.01)
    style = DecodingConstraints(bound)
    assert style.limit(example, 200) == bound.tokens(example.features.seconds)
    assert style.limit(example, 7) == 7


def test_a_bound_only_cuts(under_test: Bench) -> None:
    """Forbids that a bound changes what is said before it, or that one example's bound ends its neighbours."""
    examples = under_test.examples()
    style = DecodingConstraints(LengthBound(base=2, per_second=6))
    free, bounded = decode(under_test.engine, examples, 24), decode(under_test.engine, examples, 24, style)
    limits = [style.limit(example, 24) for example in examples]
    assert len(set(limits)) > 2
    assert any(answer.tokens > limit for answer, limit in zip(free, limits, strict=True))
    for whole, part, limit in zip(free, bounded, limits, strict=True):
        assert part.tokens == min(whole.tokens, limit)
        assert whole.text.startswith(part.text)
        assert part.stop is (whole.stop if whole.tokens <= limit else Stop.LENGTH)


def test_no_stretch_of_tokens_comes_twice_in_the_second_style(under_test: Bench) -> None:
    """Forbids that the second attempt loops; told from the text by the rule of the flags."""
    examples = under_test.examples()
    free = decode(under_test.engine, examples, 40)
    held = decode(under_test.engine, examples, 40, DecodingConstraints(no_repeat_ngram=2))
    assert [answer.text for answer in free] != [answer.text for answer in held]
    for answer in held:
        assert Flag.REPEATS not in flags_of(answer.text, "de")


def _script(monkeypatch: pytest.MonkeyPatch, texts: dict[int, list[str]]) -> list[tuple[int, int]]:
    """Let `decode` say given texts by no-repeat setting; return what it is called with."""
    calls: list[tuple[int, int]] = []

    def said(_engine: Any, examples: list[Example], _limit: int, style: DecodingConstraints) -> list[Decoded]:
        calls.append((len(examples), style.no_repeat_ngram))
        lines = texts[style.no_repeat_ngram]
        return [Decoded(lines.pop(0), 3, Stop.EOS, 1.0, len(examples)) for _ in examples]

    monkeypatch.setattr(verb, "decode", said)
    return calls


LOOP = "da da da da"


def test_only_what_repeats_is_asked_again_and_once(
    under_test: Bench, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids a third attempt, a second one for good answers, and that the count or the time of both is lost."""
    first = ["gut", LOOP, "gut", LOOP] + ["gut"] * 8
    calls = _script(monkeypatch, {0: first, 2: ["besser", LOOP]})
    made = generate(under_test.request(GUARD), workdir, lambda: under_test.engine)
    assert calls == [(3, 0), (1, 2), (3, 0), (1, 2), (3, 0), (3, 0)]
    twice = [row for row in made.hypotheses if row.attempts == 2]
    assert {(row.text, row.seconds, row.batch_size, row.halved) for row in twice} == {
        ("besser", 2.0, 1, False),
        (LOOP, 2.0, 3, False),
    }
    assert {row.attempts for row in made.hypotheses if row.text == "gut"} == {1}


def test_without_the_guard_nothing_is_asked_again(
    under_test: Bench, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids that the guard is on unasked, and that what repeats is not said."""
    calls = _script(monkeypatch, {0: [LOOP] * 12})
    made = generate(under_test.request(), workdir, lambda: under_test.engine)
    assert len(calls) == 4
    assert {(row.text, row.attempts) for row in made.hypotheses} == {(LOOP, 1)}
    assert "flags on 12 translations: 12 repeats" in capsys.readouterr().err


def test_caution_enters_key_and_signature_and_nothing_else_does(under_test: Bench) -> None:
    """Forbids that guarded translations are taken for plain ones, and that plain ones are made again for the option."""
    plain = under_test.request()
    keys = {plain.key}
    for guards in (
        GUARD,
        DecodingGuards(repeat_guard=RepeatGuard(no_repeat_ngram=3)),
        DecodingGuards(length_bound=LengthBound(base=8, per_second=12)),
        DecodingGuards(length_bound=LengthBound(base=8, per_second=12.5)),
    ):
        request = under_test.request(guards)
        keys.add(request.key)
        assert request.signature != plain.signature
    assert len(keys) == 5
    assert "bound:8+12.5/s" in request.signature
    assert "bound" not in plain.signature
    assert "guard" not in plain.signature


def test_caution_can_be_for_some_sets() -> None:
    """Forbids that an option for the blind sets changes the key of the others."""
    decoding = Decoding(batch_size=1, max_new_tokens=9, guards=replace_sets(GUARD, ("TVSERIES",)))
    assert decoding.on("demo-TVSERIES", "TVSERIES") == Decoding(batch_size=1, max_new_tokens=9, guards=GUARD)
    assert decoding.on("demo-eval", "DEMOEVAL") == Decoding(batch_size=1, max_new_tokens=9)


def replace_sets(guards: DecodingGuards, sets: tuple[str, ...]) -> DecodingGuards:
    return DecodingGuards(length_bound=guards.length_bound, repeat_guard=guards.repeat_guard, sets=sets)


@pytest.mark.parametrize(
    "table",
    [
        "guards.repeat_guard.no_repeat_ngram = 1",
        "guards.length_bound = { base = 0, per_second = 3 }",
        "guards.length_bound = { base = 3, per_second = inf }",
        "guards.repeatguard = 3",
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, table: str) -> None:
    """Forbids a bound that lets nothing be said, a guard against single tokens, and misspelt options."""
    from harness.core.errors import UserError

    path = tmp_path / "decoding.toml"
    path.write_text(f"format_version = 1\nbatch_size = 1\nmax_new_tokens = 5\n{table}\n")
    with pytest.raises(UserError, match=r"guards|repeat_guard|length_bound"):
        read_toml(path, Decoding, 1)
