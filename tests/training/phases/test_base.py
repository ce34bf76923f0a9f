import torch

from mtbert.distributed.processes import ALONE
from mtbert.training.phases.base import example_ids, loss_class_weights
from mtbert.training.setup import prepare


def test_ids_are_those_of_the_training_files(toy):
    ids = example_ids(prepare(toy.settings("sst", "sts"), ALONE))
    assert {task: (found[0], len(found)) for task, found in ids.items()} == {
        "sst": ("sst0", 16), "sts": ("sts0", 20),
    }  # fmt: skip


def test_class_weights_are_counted_on_the_training_labels(toy):
    tasks = {name: toy.tree()["tasks"][name] for name in ("sst", "sts")}
    tasks["sst"]["class_weights"] = "balanced"
    weights = loss_class_weights(prepare(toy.settings(tasks=tasks), ALONE))
    assert weights["sts"] is None
    torch.testing.assert_close(weights["sst"], torch.ones(2))  # each class is half of the rows
