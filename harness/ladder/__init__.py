"""The ladder: what each step of compression costs against the 16-bit system of its role, with bootstrap intervals."""

from harness.ladder.climb import Contrast, Ladder, Step, climb
from harness.ladder.render import render_markdown, render_png

__all__ = ["Contrast", "Ladder", "Step", "climb", "render_markdown", "render_png"]
