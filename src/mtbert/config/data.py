"""The `data` section: where the files are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mtbert.config.fields import FileName, Section

__all__ = ["DataSettings"]

_DEMO_DATA = Path(__file__).parents[1] / "demo_data"


class DataSettings(Section):
    """Where the files are."""

    dir: FileName | None = Field(
        None,
        description="Folder that relative file names start from; `packaged` is the demo data that "
        "comes with mtbert. Default: the environment variable `MTBERT_DATA`, or else the folder "
        "of the configuration file.",
    )
    split_seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1,
        description="Which rows `dev: 10%` holds out. It is not the run's seed, so that runs of "
        "several seeds are scored on the same rows.",
    )
    cache: bool | str = Field(
        True,
        description="Keep token ids for the next run, keyed by the file's content and all that "
        "decides them. `true`: the folder in the environment variable `MTBERT_CACHE` (`off`: "
        "none), or else `mtbert` in the user's folder for caches (`XDG_CACHE_HOME`, `~/.cache`); "
        "or the name of a folder. At most 4 GiB; it can be removed at any time.",
    )

    @property
    def folder(self) -> Path | None:
        """The folder that relative file names start from, if one is known."""
        if self.dir is None:
            return None
        return _DEMO_DATA if self.dir == "packaged" else Path(self.dir)

    def locate(self, name: str) -> Path:
        """The path of a file: `name` itself if absolute or without a folder to start from."""
        return Path(name) if self.folder is None else self.folder / name
