"""A plot of a sensitivity table: change of the loss per unit, with standard errors."""

import io

from harness.calibration.sensitivity import SensitivityTable


def render_png(table: SensitivityTable) -> bytes:
    """Return a bar chart as PNG, one bar per unit in the order of the layers; equal tables give equal bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = {row.unit: row for row in table.summary}
    ordered = [rows[swap.unit] for swap in table.swaps]
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(max(6.0, 0.3 * len(ordered)), 3.6), dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        places, errors = range(len(ordered)), [row.standard_error for row in ordered]
        axes.bar(places, [row.deviation for row in ordered], yerr=errors, color="#0b6e4f", capsize=2)
        axes.axhline(0, color="#8a8f98", linewidth=0.8)
        labels = [_label(row.unit, row.layer) for row in ordered]
        axes.set_xticks(list(places), labels, rotation=90 if len(ordered) > 32 else 0)
        axes.set_xlabel("decoder layer")
        axes.set_ylabel("change of the loss (nats per token)")
        axes.set_title(f"{table.parent}, each unit swapped to {table.trial}")
        out = io.BytesIO()
        # Without "Software", the file does not contain matplotlib's version.
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _label(unit: str, layer: int) -> str:
    """Return a label such as `4`, or for a projection `4 up`."""
    return str(layer) if unit.startswith("layer ") else f"{layer} {unit.rsplit('.', 2)[-2].removesuffix('_proj')}"
