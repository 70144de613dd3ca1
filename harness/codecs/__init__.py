"""Codecs: how one tensor is stored."""

from harness.codecs.base import Certainty, Codec, Parts, Size, codec_from_json, register_codec
from harness.codecs.decimal import Decimal
from harness.codecs.hqq import Hqq
from harness.codecs.int8 import Int8
from harness.codecs.raw import Raw

__all__ = [
    "Certainty",
    "Codec",
    "Decimal",
    "Hqq",
    "Int8",
    "Parts",
    "Raw",
    "Size",
    "codec_from_json",
    "register_codec",
]
