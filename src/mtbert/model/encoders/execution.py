"""How an encoder computes: its precision, its attention kernel, and what is compiled."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil

import torch

from mtbert.config.settings import Settings
from mtbert.errors import UserError
from mtbert.model.encoders.base import Encoder

__all__ = ["attention_kernel", "fit_encoder"]

_log = logging.getLogger(__name__)


def fit_encoder(
    encoder: Encoder,
    dtype: torch.dtype,
    device: torch.device,
    *,
    kernel: str | None = None,
    compiled: str = "none",
) -> None:
    """Let an encoder compute in `dtype`, in the way that is fast to train on the device.

    Args:
        encoder: whose parameters stay what they are.
        dtype: of forward and backward pass.
        device: where it will compute.
        kernel: of attention; None: the device's own.
        compiled: `training.compile`.

    Raises:
        UserError: nothing can be compiled here.
    """
    encoder.compute_dtype = dtype
    encoder.use_attention(kernel or ("sdpa" if device.type == "cuda" else "eager"))
    # A step touches a few hundred rows of the vocabulary. On a GPU a dense gradient is cheap, and a
    # sparse one would make the processor wait for its size.
    encoder.token_table.sparse = device.type == "cpu"
    if compiled != "none":
        _require_compiler(device)
        encoder.bucketed = True
        # A kernel for each bucket, with and without dropout, and for the last layer; torch gives up
        # after eight.
        torch._dynamo.config.recompile_limit = max(128, torch._dynamo.config.recompile_limit)
        for layer in encoder.layers:
            # A CUDA graph has one shape; other code may have one for all.
            layer.compile(mode=compiled, dynamic=compiled == "default")


def attention_kernel(settings: Settings, dtype: torch.dtype, device: torch.device) -> str:
    """The kernel that `encoder.attention` means here.

    Raises:
        UserError: it cannot be had here.
    """
    wanted = settings.encoder.attention
    if wanted == "auto":
        # Not every backward kernel of torch's attention adds up in one order.
        fused = device.type == "cuda" and not settings.training.deterministic
        return "sdpa" if fused else "eager"
    if wanted == "varlen":
        problem = None
        if device.type != "cuda":
            problem = f"it computes on GPUs only, and the device is {device}"
        elif dtype != torch.bfloat16:
            problem = "it computes in bf16 only; set training.precision=bf16"
        elif importlib.util.find_spec("torch.nn.attention.varlen") is None:
            problem = f"it came with torch 2.10, and this is {torch.__version__}"
        if problem is not None:
            raise UserError(f"encoder.attention: found varlen, but {problem}; or set auto")
        _log.info("encoder.attention: varlen trains without dropout of the attention weights")
    return wanted


def _require_compiler(device: torch.device) -> None:
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise UserError("training.compile: on a GPU it needs Triton, which is not installed")
    # Triton builds its launchers in C, everything else is C++.
    variable, names = (
        ("CC", ("gcc", "clang")) if device.type == "cuda" else ("CXX", ("g++", "clang++"))
    )
    if not any(map(shutil.which, (os.environ.get(variable, ""), *names))):
        raise UserError(
            f"training.compile: it needs a compiler ({' or '.join(names)}), and none is on the "
            "PATH; install one, or set training.compile=none"
        )
