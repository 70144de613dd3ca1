"""The leaderboard as PNG: quality against size, with the Pareto frontier and the limit."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reporting.leaderboard.rows import Leaderboard, Section, standings
from harness.scoring.metric import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_STYLE = {"font.family": "DejaVu Sans", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
_OFFSETS = tuple((x, y) for y in (4, -10, 15, -21, 26, -32, 37, -43) for x in (6, -6))
"""Positions of a label, in points from its marker, in order of preference."""
_FRONTIER, _OTHER, _LIMIT = "#0b6e4f", "#8a8f98", "#b3261e"


@dataclass(frozen=True)
class _Dot:
    """One system in the plane: size in the panel's unit, quality, and whether it is on the frontier."""

    name: str
    x: float
    y: float
    member: bool


@dataclass(frozen=True)
class _Panel:
    """The part of the figure for one direction."""

    axes: "Axes"
    dots: tuple[_Dot, ...]
    unit: str
    unit_bytes: int


def render_png(board: Leaderboard) -> bytes:
    """Draw one panel per section, side by side; the same board and matplotlib give the same bytes.

    Sections on which only some of the systems were run are omitted. A system whose quality was not measured is not
    drawn; the panel names it.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    most = max((len(section.rows) for section in board.sections), default=0)
    sections = [section for section in board.sections if len(section.rows) == most]
    panels, scale = max(1, len(sections)), 1.0 if most <= 15 else 1.4  # more labels need more room
    out = io.BytesIO()
    with rc_context(_STYLE):
        figure = Figure(figsize=(scale * 7.0 * panels, scale * 5.0), dpi=120)
        FigureCanvasAgg(figure)
        figure.subplots_adjust(left=0.11 / panels, right=1 - 0.02 / panels, bottom=0.1, top=0.93, wspace=0.18)
        for position, section in enumerate(sections):
            _draw(figure.add_subplot(1, panels, position + 1), board, section)
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _draw(axes: "Axes", board: Leaderboard, section: Section) -> None:
    unit, unit_bytes = ("GB", 10**9) if board.limit.bytes >= 10**9 else ("MB", 10**6)
    scale = board.quality
    rows = [(standing, standing.row.value(scale.name)) for standing in standings(section, scale)]
    dots = tuple(
        _Dot(standing.row.system, standing.row.bytes / unit_bytes, quality, standing.place.pareto)
        for standing, quality in rows
        if quality is not None
    )
    panel = _Panel(axes, dots, unit, unit_bytes)
    _describe(panel, section, scale)
    _draw_frontier(panel)
    for dot in dots:
        marker, size = ("*", 130) if dot.member else ("o", 32)
        axes.scatter([dot.x], [dot.y], marker=marker, s=size, color=_FRONTIER if dot.member else _OTHER, zorder=3)
    _draw_labels(panel, _draw_limit(panel, board.limit.bytes))
    if missing := sorted(standing.row.system for standing, quality in rows if quality is None):
        sentence = f"{scale.name} not measured: {', '.join(missing)}"
        axes.text(0.01, 0.985, sentence, transform=axes.transAxes, fontsize=8, va="top", color=_OTHER)


def _describe(panel: _Panel, section: Section, metric: Scale) -> None:
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    panel.axes.set_title(section.title)
    panel.axes.set_xlabel(f"size of all files ({panel.unit}, logarithmic)")
    note = "" if metric.higher_is_better else ", lower is better"
    panel.axes.set_ylabel(f"{metric.name} ({metric.unit}{note})")
    if not metric.higher_is_better:
        panel.axes.invert_yaxis()  # better systems are drawn higher, whatever the metric
    panel.axes.set_xscale("log")
    panel.axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 1.5, 2, 3, 4, 5, 6, 8)))
    panel.axes.xaxis.set_minor_locator(NullLocator())
    panel.axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.axes.margins(x=0.15, y=0.12)


def _draw_limit(panel: _Panel, limit: int) -> "Bbox":
    """Draw the limit as a line and return the bounding box of its label."""
    place = limit / panel.unit_bytes
    panel.axes.axvline(place, color=_LIMIT, linestyle="--", linewidth=1.2)
    panel.axes.autoscale_view()
    text = panel.axes.text(
        place, 0.02, f" limit {limit:,} bytes", color=_LIMIT, rotation=90, fontsize=8, ha="right", va="bottom",
        transform=panel.axes.get_xaxis_transform(),
    )  # fmt: skip
    box: Bbox = text.get_window_extent()
    return box


def _draw_frontier(panel: _Panel) -> None:
    """Draw the frontier as steps: between two members, the smaller one is the best that fits."""
    members = sorted((dot.x, dot.y) for dot in panel.dots if dot.member)
    if members:
        sizes, qualities = zip(*members, strict=True)
        panel.axes.step(sizes, qualities, where="post", color=_FRONTIER, linewidth=1.4, label="Pareto frontier")
        panel.axes.legend(loc="lower right", fontsize=8)


def _draw_labels(panel: _Panel, limit: "Bbox") -> None:
    """Write each system's name at the first position around its marker where it covers neither names nor markers."""
    from matplotlib.transforms import Bbox

    taken = [limit]
    for x, y in (panel.axes.transData.transform((dot.x, dot.y)) for dot in panel.dots):
        taken.append(Bbox.from_bounds(x - 6, y - 6, 12, 12))
    for dot in panel.dots:
        taken.append(_draw_label(panel, dot, taken))


def _draw_label(panel: _Panel, dot: _Dot, taken: Sequence["Bbox"]) -> "Bbox":
    frame = panel.axes.get_window_extent()
    label = panel.axes.annotate(
        dot.name, (dot.x, dot.y), xytext=_OFFSETS[0], textcoords="offset points", fontsize=8,
        color=_FRONTIER if dot.member else "#333333",
    )  # fmt: skip
    for x, y in _OFFSETS:
        label.set_position((x, y))
        label.set_horizontalalignment("left" if x > 0 else "right")
        box: Bbox = label.get_window_extent()
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        if inside and not any(box.overlaps(other) for other in taken):
            break
    return box
