"""TER by sacrebleu (Snover et al., 2006): edits per reference word x 100, where lower is better."""

from harness.scoring.metric import Array, Scale, Scored, Texts, library_version, metric
from harness.scoring.sacrebleu_score import corpus_score

_CHARACTERS = frozenset({"ja", "ko", "zh"})  # sacrebleu's TER separates the characters of these languages


def ter_of_sums(sums: "Array") -> "Array":
    """Return TER x 100 of summed statistics: edits and reference words.

    sacrebleu's definition: 100 for words against an empty reference, 0 for nothing against an empty reference.
    """
    import numpy as np

    edits, words = sums[:, 0], sums[:, 1]
    ratio = np.where(words > 0, edits / np.maximum(words, 1), (edits > 0).astype(np.float64))
    return np.asarray(100 * ratio, dtype=np.float64)


@metric(
    Scale("TER", higher_is_better=False),
    identity=lambda target: f"{library_version('sacrebleu')} {target in _CHARACTERS}",
    from_sums=ter_of_sums,
)
def ter(texts: Texts) -> Scored:
    """Score aligned texts by TER, case-insensitive by sacrebleu's default."""
    from sacrebleu.metrics.ter import TER

    asian = texts.target in _CHARACTERS
    scorer = TER(normalized=asian, asian_support=asian)
    return corpus_score(scorer, "TER", (texts.hypotheses, texts.references), texts.made_by)
