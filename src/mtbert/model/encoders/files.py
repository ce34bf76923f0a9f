"""The weights of an encoder's folder: one safetensors file, or several named by an index.

    model.safetensors                   all tensors
    model.safetensors.index.json        {"weight_map": {tensor: file}}, and the files it names

What else a folder may hold instead (a pickle, an adapter, other frameworks' files) is named with
what to do about it; none of it is opened.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from mtbert.errors import UserError, problem_list, shown
from mtbert.io.bounded import is_file
from mtbert.model.shards import INDEX, WEIGHTS, weight_map
from mtbert.model.tensors import read_tensors

__all__ = ["read_weights"]

_WAY_OUT = "load the model with transformers and save it again (model.save_pretrained)"
_INSTEAD = (
    ("pytorch_model.bin", "turn the old file into it with: mtbert convert {file}"),
    ("pytorch_model.bin.index.json", "turn the old files into it with: mtbert convert {file}"),
    ("adapter_model.safetensors", "an adapter alone is no encoder; merge it into its base model "
     "with peft (merge_and_unload) and save that"),
    ("adapter_model.bin", "an adapter alone is no encoder; merge it into its base model with peft "
     "(merge_and_unload) and save that"),
    ("tf_model.h5", f"found {{name}} of TensorFlow; {_WAY_OUT}"),
    ("bert_model.ckpt.index", f"found a checkpoint of TensorFlow; {_WAY_OUT}"),
    ("flax_model.msgpack", f"found {{name}} of Flax; {_WAY_OUT}"),
)  # fmt: skip


def read_weights(folder: Path) -> tuple[dict[str, Tensor], Path]:
    """All tensors of a folder, and the file that names them.

    Raises:
        UserError: they are not there, not all of them are, or a file is damaged.
    """
    file = folder / WEIGHTS
    if is_file(file):
        return read_tensors(file), file
    if is_file(folder / INDEX):
        return _read_shards(folder), folder / INDEX
    raise UserError(f"{folder}: no {WEIGHTS}{_what_instead(folder)}")


def _read_shards(folder: Path) -> dict[str, Tensor]:
    places = weight_map(folder / INDEX)
    names = sorted(set(places.values()))
    missing = [name for name in names if not is_file(folder / name)]
    if missing:
        raise UserError(
            f"{folder}: {', '.join(missing)}: missing, of the {len(names)} shards that {INDEX} "
            "names; download the model again"
        )
    tensors: dict[str, Tensor] = {}
    problems = []
    for name in names:
        shard = read_tensors(folder / name)
        problems += [f"{name}: {key}: also in another shard" for key in shard if key in tensors]
        wanted = [key for key, place in places.items() if place == name]
        problems += [f"{name}: {key}: missing, though the index says it is there" for key in wanted
                     if key not in shard]  # fmt: skip
        tensors |= shard
    if problems:
        raise UserError(
            problem_list(f"{folder / INDEX}: does not fit the shards; download the model again",
                         problems)
        )  # fmt: skip
    return tensors


def _what_instead(folder: Path) -> str:
    """What a folder without the weights holds in their place, and what to do."""
    for name, advice in _INSTEAD:
        if is_file(folder / name):
            return f"; {advice.format(file=folder / name, name=name)}"
    pickles = sorted(f for end in ("bin", "pt", "pth", "ckpt") for f in folder.glob(f"*.{end}"))
    if pickles:
        return f"; turn the old file into it with: mtbert convert {pickles[0]}"
    others = sorted(file.name for file in folder.glob("*.safetensors"))
    shards = [name for name in others if "-of-" in name]
    if shards:
        return f" and no {INDEX}, though there are shards ({shards[0]}, …); download it too"
    if others:
        return f"; found {', '.join(map(shown, others[:3]))}; rename the one to use to {WEIGHTS}"
    if folder.parent.name == "snapshots":  # of the Hub's cache
        return (
            "; if the repository has an old pytorch_model.bin instead, which is not downloaded: "
            "hf download ID --local-dir DIR, then mtbert convert DIR/pytorch_model.bin, and "
            "encoder.path=DIR (or encoder.revision=refs/pr/N, where someone proposed safetensors)"
        )
    return ""
