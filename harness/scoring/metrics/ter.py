"""TER by sacrebleu (Snover et al., 2006): edits per reference word x 100, where lower is better."""

from typing import TYPE_CHECKING

from harness.scoring.metric import Scale, Scored, Texts, library_version, metric
from harness.scoring.sacrebleu_score import corpus_score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_CHARACTERS = frozenset({"ja", "ko", "zh"})
"""Languages for which sacrebleu's TER separates characters, in its normalisation."""


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
    """Score aligned texts by TER, case-insensitive as sacrebleu has it by default."""
    from sacrebleu.metrics.ter import TER

    asian = texts.target in _CHARACTERS
    made = TER(normalized=asian, asian_support=asian)
    return corpus_score(made, "TER", (texts.hypotheses, texts.references), texts.made_by)
