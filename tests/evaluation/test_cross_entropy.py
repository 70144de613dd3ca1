"""harness.evaluation.cross_entropy: against the model's own loss, and by hand."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.compression.artifact import Artifact
from harness.config.task import Decoding, Prompt
from harness.core.errors import UserError
from harness.core.workdir import WorkDir
from harness.evaluation.cross_entropy import CrossEntropy, cross_entropy, sentence_nats
from harness.inference.engine import Engine
from harness.inference.examples import ExampleReader
from harness.inference.prompting import Example, end_token, right_padded, target_tokens
from harness.testsets.segments import Segmentation
from harness.testsets.testset import TestSet
from tests.helpers.tiny_engine import (
    BASE,
    CHAT,
    load_engine,
    no_engine,
    request_for,
    tiny_artifact,
    tiny_test_set,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("under_test")


@pytest.fixture(scope="module")
def artifact(folder: Path) -> Artifact:
    return tiny_artifact(folder)


@pytest.fixture(scope="module")
def test_set(folder: Path) -> TestSet:
    return tiny_test_set(folder, per_talk=2)


@pytest.fixture(scope="module")
def engine(artifact: Artifact) -> Engine:
    return load_engine(artifact)


def examples(artifact: Artifact, test_set: TestSet, engine: Engine, prompt: Prompt) -> list[Example]:
    """All six sentences with their German references; the third is made longer."""
    reader = ExampleReader(request_for(artifact, test_set, prompt=prompt), engine)
    end = end_token(engine, prompt)
    texts = list(test_set.references["de"])
    texts[2] = "Ein viel längerer Satz, mit Umlauten: äöüß."
    rows = [(reader.read(index), target_tokens(engine.processor, text, end)) for index, text in enumerate(texts)]
    return [replace(example, target=target) for example, target in rows]


@pytest.mark.parametrize("prompt", [BASE, CHAT])
def test_one_sentence_agrees_with_the_models_own_loss(
    artifact: Artifact, test_set: TestSet, engine: Engine, prompt: Prompt
) -> None:
    """Forbids that prompt or audio are counted, or that the end token is not: transformers' `labels=` on batch 1."""
    example = examples(artifact, test_set, engine, prompt)[2]
    batch = right_padded(engine, [example])
    labels = torch.tensor([[-100] * len(example.prompt) + list(example.target)])
    with torch.inference_mode():
        loss = float(engine.model(**batch.arguments(), labels=labels).loss)
    assert example.target[-1] == 258
    assert len(example.target) == len("Ein viel längerer Satz, mit Umlauten: äöüß.".encode()) + 1
    assert sentence_nats(engine, [example])[0] == pytest.approx(loss * len(example.target), rel=1e-5)


def test_a_batch_agrees_with_its_sentences(artifact: Artifact, test_set: TestSet, engine: Engine) -> None:
    """Forbids that filling up changes the loss: six sentences of unlike length together and one by one."""
    rows = examples(artifact, test_set, engine, BASE)
    assert len({len(row.prompt) + len(row.target) for row in rows}) > 3
    alone = [sentence_nats(engine, [row])[0] for row in rows]
    assert sentence_nats(engine, rows) == pytest.approx(alone, rel=1e-5)


def test_the_audio_counts(artifact: Artifact, test_set: TestSet, engine: Engine) -> None:
    """Forbids a loss of the text alone: with other audio the same reference is foreseen otherwise."""
    one, other = examples(artifact, test_set, engine, BASE)[:2]
    swapped = replace(other, target=one.target)
    assert sentence_nats(engine, [swapped])[0] != pytest.approx(sentence_nats(engine, [one])[0], rel=1e-4)


def test_the_measurement_is_in_the_order_of_the_segments(
    artifact: Artifact, test_set: TestSet, engine: Engine, workdir: WorkDir
) -> None:
    """Forbids that batching by length mixes the sentences up, or changes what is stored."""
    measured = cross_entropy(request_for(artifact, test_set), workdir, lambda: engine)
    reader = ExampleReader(request_for(artifact, test_set), engine)
    for index, text in enumerate(test_set.references["de"]):
        target = target_tokens(engine.processor, text, 258)
        nats = sentence_nats(engine, [replace(reader.read(index), target=target)])[0]
        assert measured.nats[index] == pytest.approx(nats, rel=1e-5)
        assert measured.tokens[index] == len(text.encode()) + 1
    assert cross_entropy(request_for(artifact, test_set), workdir, no_engine) == measured
    longer = request_for(artifact, test_set, decoding=Decoding(batch_size=2, max_new_tokens=99))
    assert cross_entropy(longer, workdir, no_engine) == measured


def test_mean_and_standard_error_by_hand() -> None:
    """Forbids a mean of means, and an error that ignores length: nats 2, 6, 1 over 1, 2, 1 tokens.

    Mean 9 / 4 = 2.25; residuals -0.25, 1.5, -1.25; squares sum to 3.875; sqrt(3 / 2 * 3.875) / 4 = 0.602728.
    """
    measured = CrossEntropy(
        key="k",
        artifact="a",
        system="s",
        test_set="t",
        direction="en-de",
        signature="x",
        nats=(2.0, 6.0, 1.0),
        tokens=(1, 2, 1),
    )
    assert measured.mean == 2.25
    assert measured.standard_error == pytest.approx(0.602728, abs=1e-6)


def test_what_cannot_be_measured_is_said(artifact: Artifact, test_set: TestSet, workdir: WorkDir) -> None:
    """Forbids a measurement without references, or with segments that are not the references'."""
    with pytest.raises(UserError, match="no references in 'de'"):
        cross_entropy(request_for(artifact, replace(test_set, references={})), workdir, no_engine)
    assert test_set.gold is not None
    other = Segmentation("tiny-eval", "fixed", test_set.gold.segments[:3])
    with pytest.raises(UserError, match="needs gold segments"):
        cross_entropy(request_for(artifact, test_set, segmentation=other), workdir, no_engine)


def test_nan_is_refused(
    artifact: Artifact, test_set: TestSet, engine: Engine, workdir: WorkDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forbids that NaN is stored as a measurement; the sentence names the segments."""
    head = engine.model.get_output_embeddings()
    monkeypatch.setattr(head, "forward", lambda hidden: torch.full((*hidden.shape[:-1], 320), torch.nan))
    with pytest.raises(UserError, match=r"tiny-talks.*computes NaN"):
        cross_entropy(request_for(artifact, test_set), workdir, lambda: engine)
    assert not workdir.measurements.exists()
