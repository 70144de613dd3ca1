"""Importers of released speech-translation corpora: they end in a training manifest, whatever a corpus looks like.

    base.py         what an importer gives: examples, and why others were left out
    covost.py       CoVoST 2 with Common Voice's clips
    europarl_st.py  Europarl-ST
    mixture.py      which corpora, languages and how many rows of each, as data
    sample.py       which rows: a seeded choice that depends on no order of files
    verb.py         `training_manifest`: all of it, published whole

A new corpus is one module with a function like `read_covost`, and one line in `verb.py`.
"""

from harness.finetune.corpora.mixture import CorpusName, Mixture, load_mixture
from harness.finetune.corpora.training_manifest import ManifestReport, Places, training_manifest

__all__ = ["CorpusName", "ManifestReport", "Mixture", "Places", "load_mixture", "training_manifest"]
