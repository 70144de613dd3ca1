"""BLEU by sacrebleu: case-sensitive, with punctuation, tokenised as the campaign does."""

from collections.abc import Sequence

from harness.scoring.metric import Score, Scored, Texts, check_counts, library_version, scorer

_TOKENIZERS = {"zh": "zh"}
_DEFAULT_TOKENIZER = "13a"


def tokenizer(target: str) -> str:
    """Return sacrebleu's tokenizer for a target language: `zh` for Chinese (by characters), else `13a`."""
    return _TOKENIZERS.get(target, _DEFAULT_TOKENIZER)


def score_bleu(hypotheses: Sequence[str], references: Sequence[str], target: str, made_by: str) -> Score:
    """Compute corpus BLEU x 100 against one reference per segment.

    Args:
        hypotheses: one line per segment.
        references: as many lines.
        target: ISO 639-1 code of the target language.
        made_by: how the hypotheses were made; follows sacrebleu's own signature.

    Raises:
        UserError: no hypotheses, or not as many as references.
    """
    from sacrebleu.metrics.bleu import BLEU

    check_counts(len(hypotheses), len(references), "references")
    metric = BLEU(tokenize=tokenizer(target))
    value = float(metric.corpus_score(hypotheses, [references]).score)
    return Score("BLEU", value, "x 100", f"BLEU|{metric.get_signature()}|{made_by}", len(hypotheses))


@scorer("BLEU", identity=lambda target: f"{library_version('sacrebleu')} {tokenizer(target)}")
def bleu(texts: Texts) -> Scored:
    """Score aligned texts by BLEU."""
    return Scored(score_bleu(texts.hypotheses, texts.references, texts.target, texts.made_by))
