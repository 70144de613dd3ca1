"""The ladder as Markdown and as PNG."""

import io

from harness.core.markdown import compact_table
from harness.reporting.ladder.measure import Ladder, LadderStep
from harness.scoring.metric import Scale
from harness.scoring.significance import Comparison, Interval

_BASE, _SIGNIFICANT, _OTHER = "#0b6e4f", "#b3261e", "#8a8f98"


def render_markdown(ladder: Ladder) -> str:
    """Return two tables: every system against the 16-bit system of its role, and the contrasts of groups."""
    metric = _title(ladder.scale)
    lines = [
        f"# Ladder: task `{ladder.task}`, {ladder.test_set}",
        "",
        f"{metric}: mean of {', '.join(ladder.directions)}, with 95 % bootstrap intervals over segments",
        "(1000 resamples, the same for all systems and directions). Loss: against the 16-bit system of the same role,",
        "paired; p: two-sided. Cross-entropy of the references in nats per token, mean of the directions.",
        "",
        *compact_table(
            ("system", "role", "bytes", metric, "loss", "p", "cross-entropy"),
            [_row(step, ladder.scale.form) for step in ladder.steps],
            {0, 1},
        ),
    ]
    if ladder.contrasts:
        rows = [[each.name, each.other, *_comparison(each.comparison, ladder.scale.form)] for each in ladder.contrasts]
        lines += ["", *compact_table(("", "against", f"difference in {metric}", "p"), rows, {0, 1})]
    return "\n".join(lines) + "\n"


def _title(scale: Scale) -> str:
    unit = "" if scale.unit == "x 100" else f" ({scale.unit})"
    return f"{scale.name}{unit}{'' if scale.higher_is_better else ', lower is better'}"


def _row(step: LadderStep, form: str) -> list[str]:
    loss, p = _comparison(step.loss, form) if step.loss else ("base", "-")
    entropy = "-" if step.cross_entropy is None else f"{step.cross_entropy:.4f}"
    return [f"`{step.system}`", step.role, f"{step.bytes:,}", _interval(step.quality, form), loss, p, entropy]


def _comparison(found: Comparison, form: str) -> tuple[str, str]:
    mark = "**" if found.significant else ""
    return _interval(found.difference, f"+{form}"), f"{mark}{found.p_value:.3f}{mark}"


def _interval(found: Interval, form: str) -> str:
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"


def render_png(ladder: Ladder) -> bytes:
    """Draw every system's quality with its interval, the best at the top within its role."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, out = _from_the_worst(ladder), io.BytesIO()
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(7.5, 1.2 + 0.24 * len(steps)), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for place, step in enumerate(steps):
            quality = step.quality
            ends = [[quality.value - quality.low], [quality.high - quality.value]]
            colour = _colour(step, ladder.scale)
            axes.errorbar(quality.value, place, xerr=ends, fmt="o", markersize=4, capsize=2, color=colour)
        axes.set_yticks(range(len(steps)), [f"{step.system} ({step.bytes / 1e6:,.2f} MB)" for step in steps])
        axes.set_xlabel(f"{ladder.metric}, mean of {', '.join(ladder.directions)}, 95 % interval")
        axes.set_title(f"{ladder.test_set}: green 16 bit, red significantly worse, grey not", fontsize=9)
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _from_the_worst(ladder: Ladder) -> list[LadderStep]:
    """Return the steps in the order in which they are drawn, which begins at the bottom."""
    roles, quality = [step.role for step in ladder.steps], ladder.scale.quality
    return sorted(ladder.steps, key=lambda s: (roles.index(s.role), -quality(s.quality.value), s.system))[::-1]


def _colour(step: LadderStep, scale: Scale) -> str:
    if step.loss is None:
        return _BASE
    worse = scale.quality(step.loss.difference.value) < 0
    return _SIGNIFICANT if step.loss.significant and worse else _OTHER
