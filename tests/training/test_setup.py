import pytest
import torch
from support.toy import write_encoder

from mtbert.data.tokenizer import Tokenizer
from mtbert.distributed.processes import ALONE
from mtbert.errors import UserError
from mtbert.io.hashing import file_sha256
from mtbert.training.setup import prepare


def test_an_encoder_with_too_few_positions_is_refused(toy, tmp_path):
    with pytest.raises(UserError, match=r"encoder\.max_length: found 33, but .* has 32 positions"):
        toy.train(tmp_path / "run", encoder={"max_length": 33})
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_that_the_encoder_cannot_serve_is_refused(toy, tmp_path):
    folder = write_encoder(tmp_path / "encoder", vocab_size=10)
    tokens = Tokenizer.from_folder(folder).vocabulary_size
    with pytest.raises(UserError, match=f"the tokenizer has {tokens} tokens, but the encoder 10"):
        toy.train(tmp_path / "run", "sst", encoder={"path": str(folder)})
    assert not (tmp_path / "run").exists()


def test_pairs_as_one_sequence_need_two_segments(toy, tmp_path):
    folder = write_encoder(tmp_path / "encoder", type_vocab_size=1)
    encoder = {"path": str(folder)}
    with pytest.raises(UserError, match=r"tasks\.sts\.pair_encoding: .* one segment only"):
        toy.train(tmp_path / "run", encoder=encoder)
    toy.train(tmp_path / "run", "sst", "para", encoder=encoder)


def test_the_runtime_is_what_the_settings_ask_for(toy):
    runtime = prepare(toy.settings(seed=7, training={"memory_limit": 10**12}), ALONE).runtime
    assert (runtime.device, runtime.dtype, runtime.seed) == (torch.device("cpu"), torch.float32, 7)
    assert (runtime.memory.limit, runtime.processes) == (10**12, ALONE)
    assert runtime.precision == "fp32"
    assert prepare(toy.settings(training={"precision": "bf16"}), ALONE).runtime.precision == "bf16"


def test_heads_are_a_function_of_the_seed_and_their_name(toy):
    def heads(*tasks, seed):
        own = prepare(toy.settings(*tasks, seed=seed), ALONE).network.partition.all_heads
        return {name: p.detach().clone() for name, p in own.items()}

    first, again, other = heads("sst", "sts", seed=1), heads("sts", seed=1), heads("sts", seed=2)
    assert all(torch.equal(first[name], values) for name, values in again.items())
    assert not torch.equal(other["heads.sts.linear.weight"], again["heads.sts.linear.weight"])


def test_the_provenance_holds_the_bytes_of_everything_that_is_learned_from(toy):
    found = prepare(toy.settings("sst"), ALONE).provenance()
    assert found.inputs["tasks.sst.train"] == file_sha256(toy.folder / "sst-train.csv")
    assert found.inputs["tasks.sst.main" if "tasks.sst.main" in found.inputs else "tasks.sst.dev"]
    assert {"encoder/config.json", "encoder/vocab.txt"} <= set(found.inputs)
    assert not any("test" in name for name in found.inputs)
    assert found.environment["processes"] == 1


def test_the_plan_counts_the_parameters_that_learn(toy):
    prepared = prepare(toy.settings(), ALONE)
    shared = sum(p.numel() for p in prepared.network.partition.shared.values())
    assert f"{shared:,} of its parameters learn" in prepared.description
    frozen = prepare(toy.settings(encoder={"mode": "frozen"}), ALONE)
    assert "(frozen): 0 of its parameters learn" in frozen.description
