"""BLEU by sacrebleu: case-sensitive, with punctuation, with sacrebleu's tokenizer for the target language."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from harness.scoring.metric import Array, NotMeasuredError, Scale, Scored, Texts, check_counts, library_version, metric
from harness.scoring.sacrebleu_score import corpus_score

_SPACED = (
    "af ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id is it ka kk kn ky lb lt "
    "lv mk ml mn mr ms mt nb ne nl nn no pa pl ps pt ro ru sk sl sq sr sv sw ta te tg tl tr uk ur uz vi"
)
"""Languages that separate words by spaces, for which sacrebleu's default 13a is right."""
_SEGMENTED = {"ja": ("ja-mecab", "MeCab", "sacrebleu[ja]"), "ko": ("ko-mecab", "mecab_ko", "sacrebleu[ko]")}
"""Tokenizer, the module that it imports, and what installs that."""
_SUBWORD = frozenset({"km", "lo", "my", "th"})
"""Languages without spaces between words for which sacrebleu has no tokenizer but the multilingual flores200."""


def tokenizer(target: str) -> str:
    """Return the name of sacrebleu's tokenizer for a target language (ISO 639-1).

    Raises:
        NotMeasuredError: it needs a package or a model that is not on this machine, or there is none.
    """
    if target == "zh":
        return "zh"
    if target in _SPACED.split():
        return "13a"
    if target in _SEGMENTED:
        name, module, package = _SEGMENTED[target]
        if find_spec(module) is None:
            raise NotMeasuredError(f"BLEU in {target!r} needs sacrebleu's tokenizer {name}: `pip install '{package}'`.")
        return name
    if target in _SUBWORD:
        return _flores200(target)
    raise NotMeasuredError(
        f"no tokenizer is known to be right for BLEU in {target!r}: score this language by chrF or COMET."
    )


def _flores200(target: str) -> str:
    from sacrebleu.utils import SACREBLEU_DIR

    # sacrebleu downloads the model at first use, which must not happen during scoring.
    if not (Path(SACREBLEU_DIR) / "models" / "flores200sacrebleuspm").is_file():
        raise NotMeasuredError(
            f"BLEU in {target!r} needs the model of sacrebleu's tokenizer flores200: run sacrebleu once with "
            "`--tokenize flores200`, which downloads it."
        )
    return "flores200"


def score_bleu(hypotheses: Sequence[str], references: Sequence[str], target: str, made_by: str) -> Scored:
    """Compute corpus BLEU x 100 against one reference per segment; `made_by` follows sacrebleu's own signature.

    Raises:
        UserError: there are no hypotheses, or not as many as references.
        NotMeasuredError: the language's tokenizer is not on this machine.
    """
    from sacrebleu.metrics.bleu import BLEU

    check_counts(len(hypotheses), len(references), "references")
    return corpus_score(BLEU(tokenize=tokenizer(target)), "BLEU", (hypotheses, references), made_by)


def bleu_of_sums(sums: "Array") -> "Array":
    """Return BLEU x 100 of summed statistics: hypothesis and reference length, 4 matches, 4 totals.

    sacrebleu's definition with exponential smoothing: an order without a match counts as half the one before it; a
    corpus without any match, or without 4-grams, has 0.
    """
    import numpy as np

    sys_len, ref_len = sums[:, 0], sums[:, 1]
    correct, total = sums[:, 2:6], sums[:, 6:10]
    halvings = np.cumsum((correct == 0) & (total > 0), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precisions = np.where(correct == 0, 0.5**halvings, correct) / total
        penalty = np.where(sys_len < ref_len, np.exp(1 - ref_len / sys_len), 1.0)
        scores = 100 * penalty * np.exp(np.log(precisions).mean(axis=1))
    defined = (correct > 0).any(axis=1) & (total > 0).all(axis=1)
    return np.where(defined, scores, 0.0)


@metric(
    Scale("BLEU"), identity=lambda target: f"{library_version('sacrebleu')} {tokenizer(target)}", from_sums=bleu_of_sums
)
def bleu(texts: Texts) -> Scored:
    """Score aligned texts by BLEU."""
    return score_bleu(texts.hypotheses, texts.references, texts.target, texts.made_by)
