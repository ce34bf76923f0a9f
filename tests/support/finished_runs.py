"""Files of finished runs, as far as a report of any runs reads them."""

import json

SUMMARY = {
    "dev": {"sst": {"accuracy": 0.5, "f1": 0.25}, "sts": {"pearson": None, "spearman": -0.125}},
    "others": {},
    "overall": 0.61,
    "mean": None,
    "best_epoch": 2,
    "seconds": 12.6,
    "seed": 7,
    "processor": "Toy <CPU>",
    "threads": 2,
    "precision": "fp32",
    "versions": {"mtbert": "0.1.0", "torch": "2.6"},
}


def write_run(folder, **changes):
    """The files of a finished run, as far as a report reads them."""
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(SUMMARY | changes))
    dev = [
        {"kind": "dev", "epoch": e, "step": e, "dev": (SUMMARY | changes)["dev"]} for e in (1, 2)
    ]
    lines = [{"kind": "train", "step": 1}, *dev]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder
