"""A whole tiny task with everything that the campaign's has: a set that is cut, re-segmented and judged by COMET."""

from pathlib import Path

from tests.helpers.tiny_comet import write_tiny_comet
from tests.helpers.tiny_corpus import rows, write_corpus, write_manifest
from tests.helpers.tiny_shas import write_checkpoint, write_encoder
from tests.helpers.tiny_task import write_tiny_task

SECTIONS = """
[segmentation]
default = "shas"
sets = {{ tiny-set = "gold" }}
window = 2.0
max_seconds = 1.5
shas = {{ checkpoint = "{shas}", encoder = "{encoder}", listen_seconds = 2.0 }}

[scoring]
metrics = ["BLEU", "chrF", "COMET"]
comet = {{ checkpoint = "{comet}", hub = "", precision = "float32" }}

[roles.finetuned]
"""


def write_blind_task(folder: Path) -> Path:
    """Write a profile with `tiny-set`, gold, and three recordings, `tiny-eval`, which SHAS cuts; return its path."""
    profile = write_tiny_task(folder)
    blind = write_manifest(folder / "blind.toml", write_corpus(folder / "blind" / "eval", rows(3)).parent)
    sections = SECTIONS.format(
        shas=write_checkpoint(folder / "shas.pt"),
        encoder=write_encoder(folder / "encoder"),
        comet=write_tiny_comet(folder / "comet"),
    )
    known = f'["{folder / "tiny-set.toml"}"]'
    text = profile.read_text().replace('segmentation = "gold"\n', "").replace("[roles.finetuned]\n", sections)
    begin, end = text.index("test_sets ="), text.index("[segmentation]")
    both = text[begin:end].replace(known, f'["{folder / "tiny-set.toml"}", "{blind}"]')
    profile.write_text(text[:begin] + both + text[end:])
    return profile
