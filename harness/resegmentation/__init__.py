"""Re-segmentation: dividing the translation of a recording along its reference lines, so that it can be scored.

Where recordings are segmented otherwise than the references, lines of the translation do not correspond to lines of the
references. A resegmenter takes a recording's translation as one text and divides it where the edit distance to the
reference lines is smallest (Matusov et al., IWSLT 2005), as the campaign does before it scores.
"""

from harness.resegmentation.resegment import resegment
from harness.resegmentation.resegmenter import Resegmented, Resegmenter, Talk, get_resegmenter

__all__ = ["Resegmented", "Resegmenter", "Talk", "get_resegmenter", "resegment"]
