"""The ladder as Markdown and as a picture."""

import io

from harness.core.markdown import compact_table
from harness.reporting.ladder.measure import Contrast, Ladder, LadderStep
from harness.scoring.metric import Scale
from harness.scoring.significance import Comparison

_BASE, _SIGNIFICANT, _OTHER = "#0b6e4f", "#b3261e", "#8a8f98"
_ROW_INCHES = 0.24


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
            ("system", "role", "bytes", metric, "loss", "p", "cross-entropy"), [*map(_row, ladder.steps)], {0, 1}
        ),
    ]
    if ladder.contrasts:
        rows = [*map(_contrast, ladder.contrasts)]
        lines += ["", *compact_table(("", "against", f"difference in {metric}", "p"), rows, {0, 1})]
    return "\n".join(lines) + "\n"


def _title(scale: Scale) -> str:
    unit = "" if scale.unit == "x 100" else f" ({scale.unit})"
    return f"{scale.name}{unit}{'' if scale.higher_is_better else ', lower is better'}"


def _row(step: LadderStep) -> list[str]:
    quality = f"{step.quality.value:.2f} [{step.quality.low:.2f}, {step.quality.high:.2f}]"
    loss, p = _comparison(step.loss) if step.loss else ("base", "-")
    entropy = "-" if step.cross_entropy is None else f"{step.cross_entropy:.4f}"
    return [f"`{step.system}`", step.role, f"{step.bytes:,}", quality, loss, p, entropy]


def _contrast(contrast: Contrast) -> list[str]:
    difference, p = _comparison(contrast.comparison)
    return [contrast.name, contrast.other, difference, p]


def _comparison(found: Comparison) -> tuple[str, str]:
    difference = found.difference
    mark = "**" if found.significant else ""
    return (
        f"{difference.value:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]",
        f"{mark}{found.p_value:.3f}{mark}",
    )


def render_png(ladder: Ladder) -> bytes:
    """Draw every system's quality with its interval, the best at the top within its role."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = _ordered(ladder)
    out = io.BytesIO()
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(7.5, 1.2 + _ROW_INCHES * len(steps)), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for place, step in enumerate(reversed(steps)):
            low, high = step.quality.value - step.quality.low, step.quality.high - step.quality.value
            axes.errorbar(
                step.quality.value,
                place,
                xerr=[[low], [high]],
                fmt="o",
                markersize=4,
                capsize=2,
                color=_colour(step, ladder.scale),
            )
        axes.set_yticks(range(len(steps)), [f"{step.system} ({step.bytes / 1e6:,.2f} MB)" for step in reversed(steps)])
        axes.set_xlabel(f"{ladder.metric}, mean of {', '.join(ladder.directions)}, 95 % interval")
        axes.set_title(f"{ladder.test_set}: green 16 bit, red significantly worse, grey not", fontsize=9)
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _ordered(ladder: Ladder) -> list[LadderStep]:
    roles = list(dict.fromkeys(step.role for step in ladder.steps))
    quality = ladder.scale.quality
    return sorted(ladder.steps, key=lambda s: (roles.index(s.role), -quality(s.quality.value), s.system))


def _colour(step: LadderStep, scale: Scale) -> str:
    if step.loss is None:
        return _BASE
    worse = scale.quality(step.loss.difference.value) < 0
    return _SIGNIFICANT if step.loss.significant and worse else _OTHER
