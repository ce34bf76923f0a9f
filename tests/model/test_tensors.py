import os

import pytest
import torch
from safetensors.torch import save_file

from mtbert.errors import UserError
from mtbert.model.tensors import float32_copies, mismatches, read_tensors, unusable


@pytest.fixture
def file(tmp_path):
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(1)}, tmp_path / "t.safetensors")
    return tmp_path / "t.safetensors"


def test_all_tensors_of_a_file_are_read(file):
    found = read_tensors(file)
    assert {name: list(tensor.shape) for name, tensor in found.items()} == {"a": [2, 3], "b": [1]}


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"t\.safetensors: no such file"):
        read_tensors(tmp_path / "t.safetensors")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda raw: raw[:-1], "not a valid safetensors file"),
        (lambda raw: raw[:4], "not a valid safetensors file"),
        (lambda raw: b"", "not a valid safetensors file"),
        (lambda raw: b"\xff" * 8 + raw[8:], "a header of 18446744073709551615 bytes"),
    ],
)
def test_a_damaged_file_is_refused(file, damage, told):
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(UserError, match=told):
        read_tensors(file)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "t.safetensors")
    with pytest.raises(UserError, match="not a regular file"):
        read_tensors(tmp_path / "t.safetensors")


def test_copies_are_float32_and_in_memory_of_their_own():
    tensors = {"a": torch.ones(3), "b": torch.ones(3, dtype=torch.bfloat16)}
    copies = float32_copies(tensors)
    assert all(tensor.dtype == torch.float32 for tensor in copies.values())
    tensors["a"].zero_()
    assert copies["a"].tolist() == [1, 1, 1]


def test_tensors_that_fit_have_no_mismatch_whatever_their_order():
    expected = {"a": torch.ones(2), "b": torch.ones(3, 1)}
    assert mismatches(dict(reversed(expected.items())), expected) == []
    with torch.device("meta"):
        assert mismatches(expected, {"a": torch.ones(2), "b": torch.ones(3, 1)}) == []


def test_missing_unexpected_and_misshapen_tensors_are_named():
    found = {"a": torch.ones(3), "c": torch.ones(1)}
    expected = {"a": torch.ones(2), "b": torch.ones(3, 1)}
    assert mismatches(found, expected) == [
        "b: missing",
        "c: unexpected",
        "a: shape [3], expected [2]",
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_finite_floating_point_of_any_width_is_usable(dtype):
    assert unusable({"a": torch.ones(2, dtype=dtype)}) == []


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (torch.ones(2, dtype=torch.int64), "a: torch.int64, expected floating point"),
        (torch.ones(2, dtype=torch.complex64), "a: torch.complex64, expected floating point"),
        (torch.tensor([1, torch.nan]), "a: holds NaN or infinity"),
        (torch.tensor([-torch.inf]), "a: holds NaN or infinity"),
        (torch.tensor([1e300], dtype=torch.float64), "a: holds NaN or infinity"),
    ],
)
def test_what_cannot_be_a_weight_is_named(tensor, told):
    assert unusable({"b": torch.ones(1), "a": tensor}) == [told]
