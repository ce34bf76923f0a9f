import pytest
import torch

from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.model.encoders import execution
from mtbert.model.encoders.execution import attention_kernel, fit_encoder

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def settings(**changes):
    task = {"kind": "regression", "train": "t.csv", "dev": "d.csv"}
    return Settings(tasks={"sts": task}, **changes)


@pytest.mark.parametrize(
    ("where", "training", "expected"),
    [
        (CPU, {}, "eager"),
        (CUDA, {}, "sdpa"),
        (CUDA, {"deterministic": True}, "eager"),
        (torch.device("mps"), {}, "eager"),
    ],
)
def test_attention_is_torchs_kernel_on_gpus_only(where, training, expected):
    assert attention_kernel(settings(training=training), torch.bfloat16, where) == expected


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
@pytest.mark.parametrize("where", [CPU, CUDA])
def test_a_kernel_that_is_asked_for_is_taken(kernel, where):
    found = settings(encoder={"attention": kernel})
    assert attention_kernel(found, torch.float32, where) == kernel


@pytest.mark.parametrize(
    ("where", "dtype", "told"),
    [
        (CPU, torch.bfloat16, "GPUs only, and the device is cpu"),
        (CUDA, torch.float32, "bf16 only; set training.precision=bf16"),
    ],
)
def test_variable_length_attention_is_refused_where_it_cannot_be_had(where, dtype, told):
    with pytest.raises(UserError, match=f"encoder.attention: found varlen, but .*{told}"):
        attention_kernel(settings(encoder={"attention": "varlen"}), dtype, where)


def test_variable_length_attention_says_what_it_leaves_out(caplog):
    pytest.importorskip("torch.nn.attention.varlen")
    with caplog.at_level("INFO"):
        found = settings(encoder={"attention": "varlen"})
        assert attention_kernel(found, torch.bfloat16, CUDA) == "varlen"
    assert "without dropout of the attention weights" in caplog.text


def test_what_compiles_nothing_is_refused(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(execution.shutil, "which", lambda name: None)
    with pytest.raises(
        UserError, match=r"training.compile: it needs a compiler \(g\+\+ or clang\+\+\)"
    ):
        toy.train(tmp_path / "run", training={"compile": "default"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("where", "kernel"), [(CPU, "eager"), (CUDA, "sdpa")])
def test_an_encoder_takes_the_devices_kernel(tiny_encoder, where, kernel):
    encoder = tiny_encoder
    fit_encoder(encoder, torch.float32, where)
    assert {layer.attention.kernel for layer in encoder.layers} == {kernel}
    assert not encoder.bucketed
