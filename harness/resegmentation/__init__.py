"""Re-segmenting: cutting the translations of a recording along its reference lines, so that they can be scored.

Whoever cuts the recordings other than the references do has lines that belong to no reference. A resegmenter takes a
recording's translation as one text and cuts it where the edit distance to the reference lines is smallest (Matusov et
al., IWSLT 2005), as the campaign does before it scores.
"""

from harness.resegmentation.base import Resegmented, Resegmenter, Talk, get_resegmenter
from harness.resegmentation.resegment import resegment

__all__ = ["Resegmented", "Resegmenter", "Talk", "get_resegmenter", "resegment"]
