"""Codecs: how one tensor is stored.

The names below are the interface for the modules in `systems`. Codecs are found by scanning this package: a new module
needs no line here.
"""

from harness.compression.codecs.base import Certainty, Codec, Parts, Size, codec_from_json, register_codec
from harness.compression.codecs.decimal import Decimal
from harness.compression.codecs.hqq import Hqq
from harness.compression.codecs.int8 import Int8
from harness.compression.codecs.raw import Raw

__all__ = ["Certainty", "Codec", "Decimal", "Hqq", "Int8", "Parts", "Raw", "Size", "codec_from_json", "register_codec"]
