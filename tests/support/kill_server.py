"""Imported by the fork server only: one run in it, so that its children need not warm up."""

import os
import tempfile
from pathlib import Path

import torch

from support.toy import Toy

torch.set_num_threads(1)  # a process with threads must not fork
with tempfile.TemporaryDirectory() as _folder:
    Toy(Path(_folder)).train(Path(_folder) / "run", "sst", "sts", threads=1, seed=os.getpid())
