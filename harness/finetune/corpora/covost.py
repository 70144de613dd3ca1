"""CoVoST 2 (Wang et al. 2021): translations as TSV files, over the clips of Common Voice 4.

Two forms are read, both without quoting and with a backslash as escape. The release, `covost_v2.en_de.tsv`, has a
column `split`; its rows of `train` and `train_covost` are the training set. The file that the release's own script
writes, `covost_v2.en_de.train.tsv`, holds only those rows.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from harness.core.errors import UserError
from harness.finetune.corpora.base import CorpusRow, Listing, corpus, read_lines

_TRAINING = {"train", "train_covost"}


@corpus("covost2", option="--covost", folder="CoVoST 2's TSV files and Common Voice's clips/")
def read_covost(root: Path, source: str, target: str) -> Listing:
    """List the training set of one pair, in the release's codes, e.g. `zh-CN`.

    Raises:
        UserError: neither file exists, or its header lacks a column.
    """
    listing, seen = Listing(), set[str]()
    for fields in _rows(_table(root, f"covost_v2.{source}_{target}"), listing):
        name = fields["path"]
        if Path(name).name != name or not name:
            listing.left_out["no file name"] += 1
        elif name in seen:
            listing.left_out["clip listed twice"] += 1
        else:
            seen.add(name)
            listing.add(CorpusRow(root / "clips" / name, name, fields["translation"]))
    return listing


def _table(root: Path, stem: str) -> Path:
    found = [path for path in (root / f"{stem}.train.tsv", root / f"{stem}.tsv") if path.is_file()]
    if not found:
        raise UserError(
            f"{root} holds neither {stem}.train.tsv nor {stem}.tsv: unpack CoVoST 2's files of this pair into the "
            "folder of Common Voice that has `clips`."
        )
    return found[0]


def _rows(path: Path, listing: Listing) -> Iterator[dict[str, str]]:
    """Yield the rows of the training set; rows with too few or too many fields are left out."""
    header, *lines = read_lines(path)
    columns = _fields(header)
    needed = {"path", "translation"} | (set() if path.name.endswith(".train.tsv") else {"split"})
    if not needed <= set(columns):
        raise UserError(f"{path} lacks the columns {', '.join(sorted(needed - set(columns)))}: restore the release.")
    for line in lines:
        fields = _fields(line)
        row = dict(zip(columns, fields, strict=False))
        if len(fields) != len(columns):
            listing.left_out["broken row"] += 1
        elif "split" not in needed or row["split"] in _TRAINING:
            yield row


def _fields(line: str) -> list[str]:
    reader = csv.reader([line.removesuffix("\r")], delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\")
    return next(reader, [])
