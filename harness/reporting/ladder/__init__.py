"""The ladder: what each step of compression costs against the 16-bit system of its role, with bootstrap intervals."""

from harness.reporting.ladder.measure import Contrast, Ladder, LadderStep, measure_ladder
from harness.reporting.ladder.render import render_markdown, render_png

__all__ = ["Contrast", "Ladder", "LadderStep", "measure_ladder", "render_markdown", "render_png"]
