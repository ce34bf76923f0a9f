"""Folders with a BERT: changed, read and refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from mtbert.errors import UserError
from mtbert.model.encoders.base import load_encoder

IDS = torch.tensor([[2, 9, 4, 31, 3], [2, 7, 7, 49, 3]])


def hidden(model):
    with torch.no_grad():
        return model(IDS).last_hidden_state


def edit_weights(folder, change):
    """Save what `change` makes of the folder's tensors by name."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    save_file(change(tensors) or tensors, file)


def edit_config(folder, **changes):
    file = folder / "config.json"
    config = json.loads(file.read_text()) | changes
    file.write_text(json.dumps(config))


def refusal(folder):
    """The message with which a folder is refused."""
    with pytest.raises(UserError) as caught:
        load_encoder(str(folder))
    return str(caught.value)
