"""Fingerprints of planned runs: a key of all that decides a run, and its cost. No torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mtbert.config.automatic import with_epochs
from mtbert.config.fields import share_of
from mtbert.config.files import Files
from mtbert.config.former import differing
from mtbert.config.settings import Settings
from mtbert.config.tasks import TaskSettings
from mtbert.data.examples import read_examples
from mtbert.data.held_out import Rows, file_of, rows_of
from mtbert.data.sources import Source, locate, paths_of
from mtbert.errors import UserError
from mtbert.io.hashing import file_sha256
from mtbert.methods.sampling.base import EpochSpec
from mtbert.methods.sampling.epoch import epoch_length, task_plans
from mtbert.model.hub import ENCODER_FILES, PACKAGED, SETTINGS_FILES, local_folder
from mtbert.model.shards import shards_of

__all__ = ["Fingerprints"]


class Fingerprints:
    """Keys and costs of runs; each file is read once, however many runs use it."""

    def __init__(self) -> None:
        self._digests: dict[Path, str] = {}
        self._counted: dict[tuple[Source, str, bool, Rows | None], tuple[int, int]] = {}

    def key(self, settings: Settings) -> str:
        """Twelve hex digits of the settings and of the contents of the files.

        Settings that are what is left out means (`config.former`) are left out, so that a setting
        added later, which changes nothing where it is not used, leaves the keys of existing runs as
        they are. What a setting of `auto` becomes follows from the rest. Also left out: where the
        files are, the device, the threads, the words of the model card, and test files, on which no
        run is trained or scored.

        Raises:
            UserError: a file cannot be read.
        """
        tree = differing(settings)
        for name, task in settings.tasks.items():
            fields = tree["tasks"][name]
            fields["test"] = None
            if task.target == "raw":  # what every regression was before it could be named
                del fields["target"]
            if task.train is not None:
                fields["train"] = self._digests_of(settings, task.train)
            fields["dev"] = {
                s: [f, settings.data.split_seed]
                if share_of(f) is not None
                else self._digests_of(settings, f)
                for s, f in task.dev_files.items()
            }
        folder = local_folder(settings.encoder.path)
        if folder is not None and settings.encoder.path != PACKAGED:
            names = [*ENCODER_FILES, *shards_of(folder)]
            if not (folder / "tokenizer.json").is_file():  # they decide how vocab.txt is read
                names += SETTINGS_FILES
            files = [folder / name for name in names]
            tree.setdefault("encoder", {})["path"] = [
                self._digest(file) for file in files if file.is_file()
            ]
        return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:12]

    def batches(self, settings: Settings) -> dict[str, int]:
        """Batches in one pass over each trained task's data, by task."""
        spec = self._epoch_spec(self._with_epochs(settings))
        return {task: spec.batches(task) for task in spec.examples}

    def epoch_length(self, settings: Settings) -> int:
        """Steps of one epoch."""
        settings = self._with_epochs(settings)
        return epoch_length(settings.training.batching, self._epoch_spec(settings))

    def steps(self, settings: Settings) -> int:
        """Steps of the whole run."""
        return sum(self._epochs(settings)) * self.epoch_length(settings)

    def work(self, settings: Settings) -> float:
        """Characters to encode: three passes for a training step, one per epoch for evaluation."""
        settings = self._with_epochs(settings)
        counted = {name: self._count(settings, name) for name in settings.trained_tasks}
        dev = sum(
            self._count(settings, name, dev_set)[1]
            for name, task in settings.tasks.items()
            for dev_set in task.dev_files
        )
        once = sum(characters for _, characters in counted.values())
        if settings.encoder.stores_features:
            return once + dev
        plans = task_plans(settings.training.batching, self._epoch_spec(settings), settings.seed)
        epoch = sum(
            plans[name].examples / rows * characters for name, (rows, characters) in counted.items()
        )
        before = once if _heads_first(settings) else 0
        return before + self._epochs(settings)[1] * (3 * epoch + dev)

    def _epochs(self, settings: Settings) -> tuple[int, int]:
        """Epochs of the heads alone before the others, and the others."""
        settings = self._with_epochs(settings)
        first = settings.encoder.heads_first_epochs if _heads_first(settings) else 0
        epochs = settings.training.epochs
        assert first != "auto" and epochs != "auto"
        return first, epochs

    def _with_epochs(self, settings: Settings) -> Settings:
        return with_epochs(
            settings, {n: self._count(settings, n)[0] for n in settings.trained_tasks}
        )

    def _epoch_spec(self, settings: Settings) -> EpochSpec:
        return settings.epoch_spec({n: self._count(settings, n)[0] for n in settings.trained_tasks})

    def _count(self, settings: Settings, name: str, dev_set: str | None = None) -> tuple[int, int]:
        """Usable examples of a task's file, and their characters."""
        task = settings.tasks[name]
        file = task.dev_files[dev_set] if dev_set is not None else task.train
        assert file is not None
        rows = rows_of(settings, name, file)
        file = file_of(task, file)
        path, shared = locate(settings, file), settings.shares_file(file)
        key = (path, task.model_dump_json(), shared, rows)
        if key not in self._counted:
            self._counted[key] = _count_file(path, task, shared, rows)
        return self._counted[key]

    def _digests_of(self, settings: Settings, files: Files) -> str | list[str]:
        """The digest of a file, or those of several."""
        source = locate(settings, files)
        found = [self._digest(path) for path in paths_of(source)]
        return found[0] if isinstance(source, Path) else found

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            try:
                self._digests[path] = file_sha256(path)
            except OSError as error:
                raise UserError(f"{path}: cannot be read: {error.strerror}") from None
        return self._digests[path]


def _heads_first(settings: Settings) -> bool:
    return settings.encoder.mode == "heads_first"


def _count_file(
    path: Source, task: TaskSettings, shared: bool, rows: Rows | None
) -> tuple[int, int]:
    found = read_examples(path, task, blank_is_unlabelled=shared).examples
    if rows is not None:
        found = list(rows.of(found))
    return len(found), sum(len(text) for example in found for text in example.texts)
