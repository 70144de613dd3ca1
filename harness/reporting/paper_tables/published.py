"""Published figures: what the papers print, as data with source, unit and scope; never mixed with measured numbers.

The data lie in `reports/published/*.toml`. A figure keeps the text that was printed beside the value that it means, for
the papers print GiB as "GB", count different files, and give COMET on different scales.
"""

from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import msgspec

from harness.core.errors import UserError
from harness.core.manifests import ManifestTable, read_toml

FORMAT = 2


class Absent(StrEnum):
    """Why a cell holds no figure: not reported, or perhaps in a table missing from the text that figures come from."""

    NOT_PUBLISHED = "not published"
    NOT_AVAILABLE = "not available"


class Measure(StrEnum):
    """What this harness measures for comparison with a published column."""

    BLEU = "BLEU"
    COMET = "COMET"
    COMET_DIFFERENCE = "COMET difference"
    SECONDS = "seconds per item"
    ALL_FILES = "all files"
    LINEAR_LAYERS = "linear layers"
    LINEAR_LAYERS_RATIO = "linear layers ratio"


class Quantity(ManifestTable, frozen=True):
    """How a paper's printed numbers of one kind are read.

    Attributes:
        scope: what was counted, or measured on what.
        places: places by which the decimal point moves right from the printed number to the value in `unit`.
        note: where the reading comes from.
    """

    printed_unit: str
    unit: str
    scope: str
    places: int = 0
    note: str = ""


class PublishedColumn(ManifestTable, frozen=True):
    """A column of a published table.

    Attributes:
        quantity: the kind of number, a key of the paper's quantities.
        ours: what is measured here for comparison.
        direction: e.g. `en-de`; empty where the number has none.
        test_set: name of the test set that ours is measured on; empty for the task's own.
    """

    header: str
    quantity: str
    ours: Measure
    direction: str = ""
    test_set: str = ""


class PublishedRow(ManifestTable, frozen=True):
    """A row of a published table.

    Attributes:
        row: the row's number in the paper; `-` where it has none.
        systems: registered names; of several, the paper's number is their mean.
        source: where in the paper the figures are.
        cells: one per column, as printed, or one of `Absent`.
        scopes: by quantity, where this row counts something other than the quantity states.
    """

    row: str
    label: str
    systems: tuple[str, ...]
    source: str
    cells: tuple[str, ...]
    scopes: dict[str, str] = msgspec.field(default_factory=dict)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One published number, or why there is none; unit and scope as in `Quantity`.

    Attributes:
        as_printed: the number as the paper prints it, without its unit; or one of `Absent`.
        text: the number in `unit`, with as many digits as were printed; or one of `Absent`.
        value: the same as a number; None where there is none.
        source: paper and place.
    """

    as_printed: str
    text: str
    value: float | None
    unit: str
    printed_unit: str
    scope: str
    source: str


class PublishedTable(ManifestTable, frozen=True):
    """A table as a paper prints it.

    Attributes:
        id: name on the command line, e.g. `diet-kit-4`.
        number: its number in the paper.
        base: the system that differences and ratios refer to.
        also: what is shown here that the paper does not print.
    """

    id: str
    number: str
    title: str
    columns: tuple[PublishedColumn, ...]
    rows: tuple[PublishedRow, ...]
    note: str = ""
    base: str = ""
    also: tuple[Measure, ...] = ()


class PublishedContrast(ManifestTable, frozen=True):
    """Two groups of systems that a paper compares: `name` with the members `systems`, and `other` with `others`.

    Members are registered names; the qualities of a group are averaged.
    """

    name: str
    systems: tuple[str, ...]
    other: str
    others: tuple[str, ...]
    source: str


class Paper(ManifestTable, frozen=True):
    """The figures of one paper: short name, title with authors and year, quantities by name, tables, contrasts."""

    paper: str
    title: str
    quantities: dict[str, Quantity]
    tables: tuple[PublishedTable, ...]
    contrasts: tuple[PublishedContrast, ...] = ()

    def figure(self, column: PublishedColumn, row: PublishedRow, cell: str) -> Figure:
        """Return one cell with unit, scope and source."""
        quantity = self.quantities[column.quantity]
        text = cell if cell in set(Absent) else str(Decimal(cell).scaleb(quantity.places))
        return Figure(
            as_printed=cell,
            text=text,
            value=None if cell in set(Absent) else float(text),
            unit=quantity.unit,
            printed_unit=quantity.printed_unit,
            scope=row.scopes.get(column.quantity, quantity.scope),
            source=f"{self.paper}, {row.source}",
        )

    def figures(self, row: PublishedRow, table: PublishedTable) -> tuple[Figure, ...]:
        """Return a row's figures, one per column."""
        return tuple(self.figure(column, row, cell) for column, cell in zip(table.columns, row.cells, strict=True))


class Library(msgspec.Struct, frozen=True, dict=True):
    """The figures of all papers."""

    papers: tuple[Paper, ...]

    @cached_property
    def tables(self) -> dict[str, tuple[Paper, PublishedTable]]:
        """Every table with its paper, by id."""
        return {table.id: (paper, table) for paper in self.papers for table in paper.tables}

    @property
    def contrasts(self) -> tuple[PublishedContrast, ...]:
        """The contrasts of all papers, in the order of the papers."""
        return tuple(contrast for paper in self.papers for contrast in paper.contrasts)

    def table(self, name: str) -> tuple[Paper, PublishedTable]:
        """Return a table and its paper.

        Raises:
            UserError: there is none.
        """
        if name not in self.tables:
            raise UserError(f"No published table is named {name!r}: there are {', '.join(self.tables)}.")
        return self.tables[name]

    def figure(self, table: str, system: str, header: str) -> Figure:
        """Return the figure of a system in the column of that header.

        Raises:
            UserError: there is none.
        """
        paper, found = self.table(table)
        for row in found.rows:
            for column, cell in zip(found.columns, row.cells, strict=True):
                if system in row.systems and column.header == header:
                    return paper.figure(column, row, cell)
        raise UserError(f"Table {table!r} has no {header!r} of {system!r}: see its file in {figures_root()}.")


def figures_root() -> Path:
    """Return the folder of the figures: beside the sources in a clone, inside the package in a wheel."""
    package = Path(__file__).parents[2]
    clone = package.parent / "reports" / "published"
    return clone if clone.is_dir() else package / "reports" / "published"


def load_published() -> Library:
    """Read the figures of all papers.

    Raises:
        UserError: a file cannot be read, or a table contradicts itself.
    """
    return Library(tuple(read_paper(path) for path in sorted(figures_root().glob("*.toml"))))


def read_paper(path: Path) -> Paper:
    """Read and check the figures of one paper.

    Raises:
        UserError: the file cannot be read, a row lacks one cell per column, a column or scope names an unknown
            quantity, a cell is neither a number nor one of `Absent`, or a contrast has an empty side.
    """
    paper = read_toml(path, Paper, FORMAT)
    for contrast in paper.contrasts:
        if not contrast.systems or not contrast.others:
            raise UserError(f"{path}: {contrast.name!r} against {contrast.other!r} has an empty side: name systems.")
    for table in paper.tables:
        for column in table.columns:
            if column.quantity not in paper.quantities:
                raise UserError(f"{path}: {table.id} has a column of {column.quantity!r}, which is not defined.")
        for row in table.rows:
            _check_row(f"{path}: {table.id}, {row.label!r}", paper, table, row)
    return paper


def _check_row(where: str, paper: Paper, table: PublishedTable, row: PublishedRow) -> None:
    if len(row.cells) != len(table.columns):
        raise UserError(f"{where} has {len(row.cells)} cells for {len(table.columns)} columns: write one for each.")
    if not row.systems:
        raise UserError(f"{where} names no system: name those whose figures it prints.")
    for name in row.scopes.keys() - paper.quantities.keys():
        raise UserError(f"{where} gives a scope for {name!r}, which is not defined among the quantities.")
    for cell in row.cells:
        if cell not in set(Absent) and not _is_number(cell):
            raise UserError(f"{where} has the cell {cell!r}: write a number, or one of {', '.join(Absent)}.")


def _is_number(text: str) -> bool:
    digits = text.removeprefix("+").removeprefix("-")
    return digits.isascii() and digits.replace(".", "", 1).isdigit()
