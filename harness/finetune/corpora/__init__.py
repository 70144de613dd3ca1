"""Training manifests from released speech-translation corpora.

    base.py               the registry of corpora, and what a corpus yields
    covost.py             CoVoST 2 with Common Voice's clips
    europarl_st.py        Europarl-ST
    mixture.py            corpora, languages and numbers of rows, as data
    sample.py             a seeded choice of rows that does not depend on the order of files
    training_manifest.py  from a mixture and corpora to a training manifest

A new corpus is one module here, or in an installed package with an entry point `stcompress.corpora`, that registers a
function like `read_covost`.
"""

from harness.finetune.corpora.base import CORPORA, Corpus
from harness.finetune.corpora.mixture import Mixture, load_mixture
from harness.finetune.corpora.training_manifest import ManifestReport, training_manifest

__all__ = ["CORPORA", "Corpus", "ManifestReport", "Mixture", "load_mixture", "training_manifest"]
