"""Do all processes of a run start from the same?"""

from __future__ import annotations

from mtbert.config.settings import Settings
from mtbert.distributed.processes import Processes
from mtbert.errors import UserError, problem_list
from mtbert.runs.provenance import Origin, differences

__all__ = ["check_alike"]


def check_alike(settings: Settings, origin: Origin, processes: Processes) -> None:
    """Refuse processes that would not compute the same.

    Where files are, and how many threads there are, may differ from machine to machine; what is
    in the files may not.

    Raises:
        UserError: names each process and what differs.
    """
    tree = settings.model_dump(mode="json", exclude={"device", "threads", "data"})
    del tree["encoder"]["path"]
    for task in tree["tasks"].values():
        task |= dict.fromkeys(("train", "dev", "test"))
    environment = origin.environment
    mine = {
        "settings": tree,
        "files": dict(origin.inputs),
        "device": environment["device"].partition(":")[0],
        "precision": environment["precision"],
        "versions": environment["versions"],
    }
    first, *others = processes.all_gather(mine)
    problems = [
        f"process {rank}: {difference}"
        for rank, other in enumerate(others, start=1)
        for difference in differences(first, other, word="there")
    ]
    if problems:
        title = "the processes do not start from the same (first what process 0 has)"
        raise processes.raised_by_all(UserError(problem_list(title, problems)))
