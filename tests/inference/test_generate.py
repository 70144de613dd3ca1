"""harness.inference.generate: what the model hears, what it says, and what is stored of it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from harness.audio.recording import open_recording, read_stretch
from harness.compression.artifact import Artifact
from harness.config.task import Decoding, Prompt
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.inference.decoding import decode, one_line
from harness.inference.engine import Engine, checked, require_audio_input
from harness.inference.examples import Reader
from harness.inference.features import FeatureReader, extract_features
from harness.inference.generate import GenerationRequest, generate, plan_batches
from harness.inference.generation_store import load_hypotheses
from harness.inference.hypothesis import Stop
from harness.inference.prompting import Example, ask, end_token, left_padded, prompt_tokens
from harness.testsets.segments import Segment, Segmentation
from harness.testsets.testset import TestSet
from tests.helpers.tiny_engine import (
    BASE,
    CHAT,
    GERMAN,
    Counting,
    load_engine,
    no_engine,
    request_for,
    tiny_artifact,
    tiny_test_set,
)


@dataclass(frozen=True)
class Bench:
    """What the tests of this module share; none of them changes it."""

    artifact: Artifact
    test_set: TestSet
    engine: Engine

    def request(self, **changes: Any) -> GenerationRequest:
        return request_for(self.artifact, self.test_set, **changes)

    def examples(self, prompt: Prompt = BASE, count: int = 6) -> list[Example]:
        reader = Reader(self.request(prompt=prompt), self.engine)
        return [reader.read(index) for index in range(count)]


@pytest.fixture(scope="module")
def under_test(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("under_test")
    artifact = tiny_artifact(folder)
    return Bench(artifact, tiny_test_set(folder), load_engine(artifact))


def argmax_decoding(engine: Engine, example: Example, limit: int) -> list[int]:
    """Greedy decoding by its definition, one whole forward pass per token, no cache, no generation settings."""
    said: list[int] = []
    while len(said) < limit and (not said or said[-1] not in engine.end_tokens):
        batch = left_padded(engine, [example])
        ids = torch.tensor([[*example.prompt, *said]])
        inputs = {**batch.arguments(), "input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with torch.inference_mode():
            said.append(int(engine.model(**inputs).logits[0, -1].argmax()))
    return said


def text_of(engine: Engine, tokens: Sequence[int]) -> str:
    return one_line(engine.processor.tokenizer.decode(tokens, skip_special_tokens=True))


@pytest.mark.parametrize("prompt", [BASE, CHAT])
def test_the_model_is_asked_as_its_own_processor_asks(under_test: Bench, prompt: Prompt) -> None:
    """Forbids other features or token ids than transformers' processor makes of the same audio and prompt."""
    processor, test_set = under_test.engine.processor, under_test.test_set
    assert test_set.gold is not None
    segment = test_set.gold.segments[3]
    samples = read_stretch(open_recording(test_set.audio / segment.wav), segment.offset, segment.duration)
    text = ask(processor, prompt, "German")
    expected = processor(text=[text], audio=[samples], sampling_rate=16_000, return_tensors="pt")
    features = FeatureReader(test_set, processor.feature_extractor).extract(segment)
    batch = left_padded(under_test.engine, [Example(features, prompt_tokens(processor, text, features))])
    assert expected["feature_attention_mask"].sum() > 0
    for name, tensor in batch.arguments().items():
        assert torch.equal(tensor, expected[name].to(tensor.dtype)), name


def test_the_prompts_of_the_papers(under_test: Bench) -> None:
    """Forbids another wording: Diet-KIT's table 7, and the second paper's request in the checkpoint's chat template."""
    processor = under_test.engine.processor
    assert ask(processor, BASE, "German") == ("<|audio_bos|><|AUDIO|><|audio_eos|>Translate this speech to German: \n")
    assert ask(processor, CHAT, "Chinese") == (
        "<|im_start|>user\nAudio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
        "Translate this English speech into Chinese.<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("text", ["Translate to {target_lang}:", "<|audio_bos|><|AUDIO|><|audio_eos|><|AUDIO|>"])
def test_a_prompt_needs_one_place_for_the_audio(under_test: Bench, text: str) -> None:
    """Forbids that the model is asked without audio, or with a second place that nothing fills."""
    with pytest.raises(UserError, match="exactly one place for the audio"):
        ask(under_test.engine.processor, Prompt(text=text), "German")


def test_end_tokens_of_base_and_chat(under_test: Bench) -> None:
    """Forbids that an answer ends with a token that the chat template does not put there: 258 is `<|im_end|>`."""
    assert end_token(under_test.engine, CHAT) == 258
    assert end_token(under_test.engine, BASE) == under_test.engine.processor.tokenizer.eos_token_id
    assert under_test.engine.end_tokens == (258,)


def test_the_audio_changes_what_the_model_computes(under_test: Bench) -> None:
    """Forbids that features are dropped on the way: silence in their place gives other logits."""
    example = under_test.examples(count=1)[0]
    deaf = replace(example, features=replace(example.features, mel=torch.zeros_like(example.features.mel)))
    with torch.inference_mode():
        heard, unheard = (
            under_test.engine.model(**left_padded(under_test.engine, [one]).arguments()).logits[0, -1]
            for one in (example, deaf)
        )
    assert float((heard - unheard).abs().max()) > 1e-2


def test_a_model_that_hears_nothing_is_a_bug(under_test: Bench) -> None:
    """Forbids translating from the prompt alone, as happens when input_features get lost."""
    batch = left_padded(under_test.engine, under_test.examples(count=1))
    with pytest.raises(RuntimeError, match="no input_features"), require_audio_input(under_test.engine.model):
        under_test.engine.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask)


def test_a_prompt_without_room_for_the_features_is_a_bug(under_test: Bench) -> None:
    """Forbids a batch whose audio tokens are not as many as the tower makes."""
    example = under_test.examples(count=1)[0]
    with pytest.raises(RuntimeError, match="not those of the features"):
        left_padded(under_test.engine, [replace(example, prompt=example.prompt[2:])])


def test_decoding_is_greedy_by_definition(under_test: Bench) -> None:
    """Forbids anything but argmax, and wrong stops: compared with one whole forward pass per token."""
    examples = under_test.examples()
    for example, decoded in zip(examples, decode(under_test.engine, examples, 20), strict=True):
        said = argmax_decoding(under_test.engine, example, 20)
        assert decoded.text == text_of(under_test.engine, said)
        assert decoded.tokens == len(said)
        assert decoded.stop is (Stop.EOS if said[-1] == 258 else Stop.LENGTH)
    assert (
        len({text_of(under_test.engine, argmax_decoding(under_test.engine, example, 20)) for example in examples}) > 3
    )


def test_an_end_token_ends_the_answer(under_test: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that what stands behind the end is taken for text: a token said later is declared an end token."""
    example = max(under_test.examples(), key=lambda one: len(set(argmax_decoding(under_test.engine, one, 12))))
    said = argmax_decoding(under_test.engine, example, 12)
    place = max(said.index(token) for token in said)
    assert 0 < place < 11
    monkeypatch.setattr(under_test.engine.model.generation_config, "eos_token_id", [258, said[place]])
    decoded = decode(under_test.engine, [example], 12)[0]
    assert (decoded.tokens, decoded.stop) == (place + 1, Stop.EOS)


def test_the_checkpoints_own_sampling_is_ignored(under_test: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that an instruct checkpoint's temperature or repetition penalty change a greedy translation."""
    examples = under_test.examples(count=3)
    expected = [answer.text for answer in decode(under_test.engine, examples, 20)]
    settings = {"do_sample": True, "temperature": 9.0, "top_k": 20, "repetition_penalty": 5.0, "num_beams": 3}
    for name, value in settings.items():
        monkeypatch.setattr(under_test.engine.model.generation_config, name, value)
    assert [answer.text for answer in decode(under_test.engine, examples, 20)] == expected


def test_padding_does_not_change_the_text(under_test: Bench) -> None:
    """Forbids that neighbours in a batch are heard: in float32, six together say what each says alone."""
    examples = under_test.examples()
    assert len({len(example.prompt) for example in examples}) > 1
    together = [answer.text for answer in decode(under_test.engine, examples, 20)]
    assert together == [decode(under_test.engine, [example], 20)[0].text for example in examples]


def test_line_breaks_of_every_kind_become_spaces() -> None:
    """Forbids an answer of two lines, which would shift all lines after it."""
    assert one_line(" a\nb \r\n\n c\u2028d\x0be\x85f ") == "a b c d e f"
    assert one_line("\n") == ""


def test_the_batch_plan_is_a_pure_function() -> None:
    """Forbids a plan that depends on more than durations and batch size: longest first, equal ones in order."""
    segments = [Segment(f"{index}.wav", 0.0, duration) for index, duration in enumerate([1.0, 3.0, 2.0, 3.0, 0.5])]
    assert plan_batches(segments, 2) == ((1, 3), (2, 0), (4,))
    assert plan_batches(segments, 9) == ((1, 3, 2, 0, 4),)
    assert plan_batches(segments, 2) == plan_batches(tuple(segments), 2)


def test_translations_come_in_the_order_of_the_segments(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids that sorting by length leaks into the output: line N is what segment N says alone."""
    request = under_test.request()
    made = generate(request, workdir, lambda: under_test.engine)
    segments = request.segmentation.segments
    assert sorted(segments, key=lambda segment: -segment.duration) != list(segments)
    assert [(row.index, row.segment) for row in made.hypotheses] == list(enumerate(segments))
    alone = [decode(under_test.engine, [example], 12)[0] for example in under_test.examples(count=len(segments))]
    assert [(row.text, row.tokens) for row in made.hypotheses] == [(answer.text, answer.tokens) for answer in alone]
    assert {(row.batch_size, row.halved) for row in made.hypotheses} == {(2, False)}


def test_what_is_stored_needs_no_model(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids decoding twice, and that the stored set differs from the returned one."""
    made = generate(under_test.request(), workdir, lambda: under_test.engine)
    assert generate(under_test.request(), workdir, no_engine) == made
    assert [path.name for path in workdir.hypotheses.iterdir()] == [made.key]
    assert sorted(path.name for path in (workdir.hypotheses / made.key).iterdir()) == [
        "header.json",
        "hypotheses.jsonl",
    ]


def test_what_is_stored_needs_no_torch(under_test: Bench, tmp_path: Path, workdir: WorkDir) -> None:
    """Forbids that a run in which nothing changed waits for heavy libraries."""
    generate(under_test.request(), workdir, lambda: under_test.engine)
    corpus = under_test.test_set.audio.parents[6]
    program = (
        "import sys; from pathlib import Path; from harness.compression.artifact import open_artifact;"
        "from harness.testsets.load import load_test_set; from harness.inference.generate import generate;"
        "from harness.core.workdir import open_workdir; from tests.helpers.tiny_engine import no_engine, request_for;"
        f"test_set = load_test_set({str(corpus / 'tiny.toml')!r}, open_workdir({str(corpus / 'work')!r}));"
        f"artifact = open_artifact(Path({str(under_test.artifact.path)!r}), Path({str(tmp_path)!r}));"
        "made = generate(request_for(artifact, test_set), "
        f"open_workdir({str(workdir.root)!r}), no_engine);"
        "heavy = {'torch', 'transformers', 'soundfile', 'scipy'} & set(sys.modules);"
        "print(len(made.hypotheses), sorted(heavy))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.stdout == "12 []\n", result.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": CHAT},
        {"language_pair": msgspec.structs.replace(GERMAN, target="zh", target_name="Chinese")},
        {"decoding": Decoding(batch_size=3, max_new_tokens=12)},
        {"decoding": Decoding(batch_size=2, max_new_tokens=13)},
        {"device": "cuda:0"},
        {"dtype": "bfloat16"},
    ],
)
def test_what_changes_the_text_changes_the_key(under_test: Bench, changes: dict[str, Any]) -> None:
    """Forbids that translations made in one way are taken for those made in another."""
    assert under_test.request(**changes).key != under_test.request().key


def test_the_key_covers_artifact_audio_and_versions(under_test: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids that model B is handed the translations of model A, of other audio, or of another torch."""
    segments = under_test.request().segmentation.segments
    other_segments = Segmentation("tiny-eval", "gold", segments[:-1])
    keys = {
        under_test.request().key,
        under_test.request(artifact=replace(under_test.artifact, id="0" * 64)).key,
        under_test.request(test_set=replace(under_test.test_set, key="0" * 64)).key,
        under_test.request(segmentation=other_segments).key,
    }
    monkeypatch.setattr("harness.inference.request.version", lambda _library: "99")
    keys.add(under_test.request().key)
    assert len(keys) == 5


def test_what_changes_no_text_changes_no_key(under_test: Bench) -> None:
    """Forbids that a note, or the number of a GPU, makes everything be translated again."""
    noted = Decoding(batch_size=2, max_new_tokens=12, note="chosen by hand")
    assert under_test.request(decoding=noted).key == under_test.request().key
    assert under_test.request(device="cuda:0").key == under_test.request(device="cuda:1").key


class SmallMemory:
    """A model that runs out of memory when more than so many segments are decoded together."""

    def __init__(self, model: Any, room: int) -> None:
        self._model = model
        self._room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, **inputs: Any) -> Any:
        if len(inputs["input_ids"]) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self._model.generate(**inputs)


def test_out_of_memory_halves_the_batch_and_says_so(
    under_test: Bench, workdir: WorkDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids that an out-of-memory loses segments, or goes unnoticed in the hypotheses."""
    small = replace(under_test.engine, model=SmallMemory(under_test.engine.model, 2))
    request = under_test.request(decoding=Decoding(batch_size=5, max_new_tokens=12))
    made = generate(request, workdir, lambda: small)
    undisturbed = generate(under_test.request(), workdir, lambda: under_test.engine)
    assert [row.text for row in made.hypotheses] == [row.text for row in undisturbed.hypotheses]
    sizes = [
        made.hypotheses[index].batch_size for batch in plan_batches(request.segmentation.segments, 5) for index in batch
    ]
    assert sizes == [2, 2, 1, 2, 2] * 2 + [2, 2]
    assert [row.halved for row in made.hypotheses].count(False) == 2
    assert "Out of memory with a batch of 5: going on with 3." in capsys.readouterr().err


def test_out_of_memory_with_a_single_segment_is_said(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids halving for ever: the sentence names the segment and what to do."""
    tiny = replace(under_test.engine, model=SmallMemory(under_test.engine.model, 0))
    with pytest.raises(UserError, match=r"tiny-talks.* Out of memory with a single segment: use a device"):
        generate(under_test.request(), workdir, lambda: tiny)


class Broken(SmallMemory):
    """A model that fails in the third batch."""

    calls = 0

    def generate(self, **inputs: Any) -> Any:
        self.calls += 1
        if self.calls == 3:
            raise ValueError("a bug")
        return self._model.generate(**inputs)


def test_any_other_fault_names_the_segments_and_keeps_the_rest(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids an empty text in place of a translation: the fault is raised, and finished batches stay finished."""
    broken = replace(under_test.engine, model=Broken(under_test.engine.model, 2))
    with pytest.raises(ValueError, match="a bug") as caught:
        generate(under_test.request(), workdir, lambda: broken)
    segments = under_test.request().segmentation.segments
    third = [segments[index] for index in plan_batches(segments, 2)[2]]
    assert all(f"{segment.wav} at {segment.offset:.2f} s" in caught.value.__notes__[0] for segment in third)
    assert len(list(workdir.hypotheses.glob("*.partial/batches/*.jsonl"))) == 2
    assert len(generate(under_test.request(), workdir, lambda: under_test.engine).hypotheses) == 12


def test_a_model_that_computes_nan_is_refused(under_test: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbids translations picked from NaN."""
    head = under_test.engine.model.get_output_embeddings()
    monkeypatch.setattr(head, "forward", lambda hidden: torch.full((*hidden.shape[:-1], 320), torch.nan))
    with pytest.raises(UserError, match="computes NaN"):
        decode(under_test.engine, under_test.examples(count=1), 3)


def test_a_segment_over_the_window_is_refused(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids that the feature extractor cuts what is longer than the model hears: two seconds in the tiny model."""
    wav = under_test.request().segmentation.segments[0].wav
    long = Segmentation("tiny-eval", "by hand", (Segment(wav, 0.0, 2.0), Segment(wav, 0.25, 2.01)))
    with pytest.raises(UserError, match=rf"1 segment.* longer than the 2 s .*{wav} at 0\.25 s \(2\.01 s\)"):
        generate(under_test.request(segmentation=long), workdir, lambda: under_test.engine)
    with pytest.raises(UserError, match="cut silently"):
        extract_features(torch.zeros(32_001).numpy(), under_test.engine.processor.feature_extractor)


def test_a_segment_too_short_to_be_heard_is_refused(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids a segment without a single audio token, which would be translated from the prompt alone."""
    wav = under_test.request().segmentation.segments[0].wav
    short = Segmentation("tiny-eval", "by hand", (Segment(wav, 0.5, 0.015),))
    with pytest.raises(UserError, match=rf"{wav} at 0\.50 s .*too short to be heard"):
        generate(under_test.request(segmentation=short), workdir, lambda: under_test.engine)


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "is missing"), (b"", "is empty"), (b"noise", "cannot be read")]
)
def test_audio_that_does_not_read_is_refused_before_the_model_is_loaded(
    under_test: Bench, tmp_path: Path, workdir: WorkDir, content: bytes | None, sentence: str
) -> None:
    """Forbids that a missing, empty or corrupt recording is translated, or found only after an hour of work."""
    for path in under_test.test_set.audio.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    broken = tmp_path / under_test.test_set.file_order[2]
    broken.unlink()
    if content is not None:
        broken.write_bytes(content)
    test_set = replace(under_test.test_set, audio=tmp_path, key="another")
    with pytest.raises(UserError, match=rf"{broken.name}.*{sentence}"):
        generate(under_test.request(test_set=test_set), workdir, no_engine)


def test_stereo_is_translated_and_recorded(
    under_test: Bench, tmp_path: Path, workdir: WorkDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forbids a broadcast error on stereo, and that the averaging goes unrecorded; equal channels say the same."""
    import numpy as np
    import soundfile

    for path in under_test.test_set.audio.iterdir():
        samples = soundfile.read(path, dtype="int16")[0]
        soundfile.write(tmp_path / path.name, np.stack([samples, samples], axis=1), 16_000, subtype="PCM_16")
    test_set = replace(under_test.test_set, audio=tmp_path, key="stereo")
    made = generate(under_test.request(test_set=test_set), workdir, lambda: under_test.engine)
    mono = generate(under_test.request(), workdir, lambda: under_test.engine)
    assert [row.text for row in made.hypotheses] == [row.text for row in mono.hypotheses]
    assert [finding.rule for finding in made.findings] == ["audio-channels"] * 3
    assert "has 2 channels, which are averaged" in capsys.readouterr().err
    assert mono.findings == ()


def test_a_stored_set_that_was_edited_is_refused(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids that someone's edited translation is scored as the model's."""
    folder = workdir.hypotheses / generate(under_test.request(), workdir, lambda: under_test.engine).key
    path = folder / "hypotheses.jsonl"
    path.write_text(path.read_text().replace('"index":3', '"index":4'))
    with pytest.raises(UserError, match="was changed after it was made"):
        load_hypotheses(folder)


def test_a_stored_set_of_a_newer_format_is_refused(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids that a newer version's folder is read as if it were known."""
    folder = workdir.hypotheses / generate(under_test.request(), workdir, lambda: under_test.engine).key
    header = json.loads((folder / "header.json").read_text())
    (folder / "header.json").write_text(json.dumps({**header, "format_version": 2}))
    with pytest.raises(UserError, match="upgrade the harness"):
        load_hypotheses(folder)


def test_a_feature_extractor_of_another_model_is_refused(under_test: Bench) -> None:
    """Forbids that the model is loaded with an reader of another window, which fails deep in the audio tower."""
    processor = type(under_test.engine.processor)(
        type(under_test.engine.processor.feature_extractor)(feature_size=16, chunk_length=3),
        under_test.engine.processor.tokenizer,
    )
    with pytest.raises(UserError, match="16 x 300 features, but its audio tower takes 16 x 200"):
        checked(replace(under_test.engine, processor=processor))


def test_the_model_is_asked_for_once(under_test: Bench, workdir: WorkDir) -> None:
    """Forbids loading the model once per batch."""
    loader = Counting(under_test.engine)
    generate(under_test.request(), workdir, loader)
    assert loader.calls == 1
