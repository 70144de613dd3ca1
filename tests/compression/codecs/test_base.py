"""harness.compression.codecs: the properties of all codecs."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from harness.compression.codecs import Codec, Decimal, Hqq, Int8, Raw, codec_from_json
from harness.core.errors import UserError
from tests.compression.codecs.examples import same, spec_of, weights

ALL = (Raw(), Raw("bfloat16"), Hqq(4), Hqq(3, group_size=40), Hqq(1, 128), Decimal(2), Decimal(3, level=1), Int8())


@pytest.mark.parametrize("codec", ALL, ids=str)
def test_json_brings_back_the_same_codec(codec: Codec) -> None:
    """Forbids an argument that is lost in the plan."""
    assert codec_from_json(json.loads(json.dumps(msgspec.to_builtins(codec)))) == codec


@pytest.mark.parametrize("codec", ALL, ids=str)
def test_encoding_is_a_pure_function(codec: Codec) -> None:
    """Forbids bytes that vary from call to call, parts that a file cannot store, and a changed input."""
    weight = weights((24, 40), 0.02, 3)
    before = weight.clone()
    parts = codec.encode(weight)
    assert same(parts, codec.encode(weight))
    assert weight.equal(before)
    assert all(part.is_contiguous() and part.device.type == "cpu" and not part.requires_grad for part in parts.values())
    decoded = codec.decode(parts, spec_of(weight))
    assert decoded.shape == weight.shape
    assert decoded.dtype == weight.dtype


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"codec": "hqq", "bits": 5}, "no 5-bit packing"),
        ({"codec": "hqq", "bits": 4, "group_size": 0}, "choose at least 1"),
        ({"codec": "hqq", "bits": 4, "group_size": "64"}, "Expected `int`, got `str`"),
        ({"codec": "hqq"}, "missing required field `bits`"),
        ({"codec": "hqq", "bits": 4, "axis": 0}, "unknown field `axis`"),
        ({"codec": "decimal", "places": -1}, "choose 0 to 8"),
        ({"codec": "decimal", "places": 9}, "choose 0 to 8"),
        ({"codec": "decimal", "places": 2, "level": 23}, "choose 1 to 22"),
        ({"codec": "decimal", "places": 2.5}, "Expected `int`, got `float`"),
        ({"codec": "raw", "dtype": "float8"}, "Invalid enum value 'float8'"),
        ({"codec": "int8", "bits": 8}, "unknown field `bits`"),
        ({"codec": "zip"}, "No codec is named 'zip': install the package"),
        ({"codec": ["hqq"], "bits": 4}, r"No codec is named \['hqq'\]"),
        ({"bits": 4}, "No codec is named None"),
        (["hqq", 4], "No codec is named None"),
        (None, "No codec is named None"),
    ],
    ids=str,
)
def test_an_invalid_codec_is_refused(value: Any, sentence: str) -> None:
    """Forbids a traceback, or a guess, for a plan that was edited or written by another program."""
    with pytest.raises(UserError, match=sentence):
        codec_from_json(value)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Hqq(5), "8, 4, 3, 2, 1 bits"),
        (lambda: Hqq(4, 0), "at least 1"),
        (lambda: Decimal(-1), "choose 0 to 8"),
        (lambda: Decimal(2, 0), "choose 1 to 22"),
        (lambda: Raw("int4"), "stored, float16, bfloat16"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_refused_when_a_system_is_written(make: Callable[[], Codec], sentence: str) -> None:
    """Forbids a recipe that fails only hours later, in the build."""
    with pytest.raises(UserError, match=sentence):
        make()
