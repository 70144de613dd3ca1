"""harness.core.safetensors_io against the reference library."""

from pathlib import Path

import pytest
import safetensors.torch
import torch

from harness.core.errors import UserError
from harness.core.safetensors_io import open_tensor_file, write_tensors

TENSORS = {
    "b.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3).to(torch.bfloat16),
    "a.codes": torch.arange(5, dtype=torch.uint8),
    "a.scale": torch.tensor([0.5, -2.0], dtype=torch.float16),
    "c": torch.tensor([[1], [2]], dtype=torch.int32),
    "d": torch.tensor(3.25),
    "e": torch.empty(0, 4, dtype=torch.float64),
    "ä.ends": torch.tensor([1, 2, 3]),
    "f": torch.tensor([-1, 1], dtype=torch.int8),
}


def test_bytes_are_those_of_the_reference_library(tmp_path: Path) -> None:
    """Forbids a file that differs in one byte from what `safetensors.torch.save` writes."""
    write_tensors(tmp_path / "x.safetensors", TENSORS)
    assert (tmp_path / "x.safetensors").read_bytes() == safetensors.torch.save(TENSORS)


def test_reads_what_the_reference_library_wrote(tmp_path: Path) -> None:
    """Forbids a wrong offset, shape or type; the header is shifted so that data are not aligned."""
    data = safetensors.torch.save(TENSORS)
    length = int.from_bytes(data[:8], "little")
    shifted = (length + 3).to_bytes(8, "little") + data[8 : 8 + length] + b"   " + data[8 + length :]
    for name, content in (("aligned", data), ("shifted", shifted)):
        (tmp_path / name).write_bytes(content)
        file = open_tensor_file(tmp_path / name)
        for key, tensor in TENSORS.items():
            found = file.read(key)
            assert found.dtype == tensor.dtype
            assert torch.equal(found, tensor)


def test_a_read_tensor_is_private(tmp_path: Path) -> None:
    """Forbids that changing a tensor in memory writes through to the file."""
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS)
    before = path.read_bytes()
    open_tensor_file(path).read("b.weight").zero_()
    assert path.read_bytes() == before


def test_non_contiguous_tensors_are_written_in_order(tmp_path: Path) -> None:
    """Forbids writing a transposed tensor's bytes in memory order."""
    tensor = torch.arange(6).reshape(2, 3).t()
    write_tensors(tmp_path / "x", {"t": tensor})
    assert torch.equal(open_tensor_file(tmp_path / "x").read("t"), tensor)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    """Forbids opening a file that is truncated at any byte."""
    path = tmp_path / "x.safetensors"
    write_tensors(path, TENSORS)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(UserError, match="truncated"):
            open_tensor_file(path)


@pytest.mark.parametrize(
    ("header", "word"),
    [
        pytest.param(b"[]", "valid safetensors header", id="not-an-object"),
        pytest.param(b"\xff\xfe", "valid safetensors header", id="not-text"),
        pytest.param(b'{"a":{"dtype":"F32"}}', "valid safetensors header", id="missing-field"),
        pytest.param(b'{"a":{"dtype":"F8","shape":[4],"data_offsets":[0,4]}}', "not supported", id="unknown-type"),
        pytest.param(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', "does not fit", id="wrong-size"),
        pytest.param(b'{"a":{"dtype":"U8","shape":[-2,-2],"data_offsets":[0,4]}}', "does not fit", id="negative"),
        pytest.param(b'{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}', "gaps", id="gap"),
        pytest.param(b'{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}', "follow its last", id="trailing"),
        pytest.param(b'{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]}}', "truncated", id="beyond-the-end"),
    ],
)
def test_damaged_headers_get_a_sentence(tmp_path: Path, header: bytes, word: str) -> None:
    """Forbids a traceback, or a tensor, from a header that does not describe the four bytes that follow."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    with pytest.raises(UserError, match=word):
        open_tensor_file(path)


def test_an_enormous_header_is_not_read(tmp_path: Path) -> None:
    """Forbids allocating a header length that is not plausible."""
    (tmp_path / "x").write_bytes(b"\xff" * 64)
    with pytest.raises(UserError, match="not a safetensors file"):
        open_tensor_file(tmp_path / "x")
