"""Scores: numbers that carry their signature."""

import msgspec


class Score(msgspec.Struct, frozen=True):
    """One number for one hypothesis set.

    Attributes:
        metric: `BLEU`, `chrF`, `COMET` or `cross-entropy`.
        value: on the scale that `unit` names.
        unit: `x 100` for BLEU, chrF and COMET; `nats per token` for cross-entropy.
        signature: everything that changes the number: metric version and settings, resegmenter, post-processing,
            generation settings, artifact id.
        segments: how many segments it is computed over.
    """

    metric: str
    value: float
    unit: str
    signature: str
    segments: int
