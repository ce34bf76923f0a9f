import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtbert.errors import UserError
from mtbert.model.convert_pickle import convert_legacy
from mtbert.model.encoders.base import load_encoder


def test_convert_writes_the_tensors_of_a_plain_state_dict(bert_folder, tmp_path):
    from transformers import AutoModel

    expected = AutoModel.from_pretrained(bert_folder).eval()
    state = expected.state_dict() | {"tied": expected.pooler.dense.weight.t()}
    torch.save(state, tmp_path / "pytorch_model.bin")
    output = tmp_path / "out.safetensors"
    assert convert_legacy(tmp_path / "pytorch_model.bin", output) == len(state)
    found = load_file(output)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.safetensors", "pytorch_model.bin"]
    found.pop("tied")
    save_file(found, bert_folder / "model.safetensors")
    ids = torch.tensor([[2, 9, 4, 31, 3]])
    with torch.no_grad():
        for ours, theirs in zip(
            load_encoder(str(bert_folder))(ids), expected(ids)[:2], strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


class Malicious:
    """Unpickling it creates a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return (open, (self.target, "w"))


@pytest.mark.parametrize("writer", [torch.save, lambda o, f: f.write_bytes(pickle.dumps(o))])
def test_convert_refuses_a_pickle_that_runs_code(tmp_path, writer):
    target, file = tmp_path / "created", tmp_path / "evil.bin"
    writer({"weight": torch.zeros(2), "evil": Malicious(target)}, file)
    with pytest.raises(UserError, match="refused"):
        convert_legacy(file, tmp_path / "out.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["evil.bin"]


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"a": 1}, {"a": {"b": torch.zeros(2)}}, 5])
def test_convert_refuses_what_is_not_tensors_by_name(tmp_path, content):
    torch.save(content, tmp_path / "file.bin")
    with pytest.raises(UserError, match="expected tensors by name"):
        convert_legacy(tmp_path / "file.bin", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("content", [None, b"", b"not a pickle"])
def test_convert_refuses_a_file_that_cannot_be_read(tmp_path, content):
    if content is not None:
        (tmp_path / "file.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"file\.bin"):
        convert_legacy(tmp_path / "file.bin", tmp_path / "out.safetensors")
