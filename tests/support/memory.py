"""Memory that runs out where a test says so."""

import pytest
import torch

from mtbert.batch import TokenBatch
from mtbert.model.network import MultitaskNetwork

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate"
                 " memory: you tried to allocate 4000000000000 bytes."),
]  # fmt: skip


PARAMETERS = pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)


AUTO = {"accumulate": "auto"}


class Short:
    """Memory for so many examples at a time: more of them raise, wherever that is.

    Attributes:
        raised: how often memory ran out.
    """

    def __init__(self, patch, examples, where="forward", task=None, error=ERRORS[0]):
        self.examples, self.task, self.error, self.raised = examples, task, error, 0
        forward = MultitaskNetwork.forward

        def short(network, name, inputs, generator=None, **how):
            if isinstance(inputs, TokenBatch):
                count = len(inputs.lengths) // network.tasks[name].sequences_per_example
            else:
                count = len(inputs)
            full = self.task in (None, name) and count > self.examples
            training = generator is not None
            if full and where == ("forward" if training else "evaluation"):
                self.fail()
            outputs = forward(network, name, inputs, generator, **how)
            if full and training and where == "backward":
                outputs.register_hook(lambda gradient: self.fail())
            return outputs

        patch.setattr(MultitaskNetwork, "forward", short)

    def fail(self):
        self.raised += 1
        raise self.error
