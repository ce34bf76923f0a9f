from mtbert.reports.tables import machine, scores_table

SCORES = {
    "dev": {"sst": {"accuracy": 0.5, "f1": 0.25}, "sts": {"pearson": None}},
    "others": {"sst/hard": {"accuracy": 1.0}},
    "overall": 0.61234,
    "mean": float("nan"),
}


def cells(text):
    return [line.split() for line in text.splitlines()]


def test_each_metric_has_a_line_and_the_means_stand_below():
    *lines, blank, tail = cells(scores_table(SCORES))
    assert lines[0] == ["task", "metric", "value"]
    assert lines[2:] == [
        ["sst", "accuracy", "0.5000"],
        ["sst", "f1", "0.2500"],
        ["sts", "pearson", "undefined"],
        ["sst/hard", "accuracy", "1.0000"],
    ]
    assert blank == []
    assert " ".join(tail) == "overall 0.6123, mean undefined"


def test_a_summary_also_tells_the_best_epoch_and_the_speed():
    text = scores_table(SCORES | {"best_epoch": 3, "seconds": 12.4, "tokens_per_second": 1234.5})
    assert text.endswith("; best epoch 3, 12 s, 1,234 tokens/s")


def test_the_split_scored_is_the_one_shown():
    assert "f1" not in scores_table(SCORES | {"dev": {}, "test": {"sst": {"accuracy": 0.1}}})


def test_a_machine_is_one_line():
    summary = {
        "processor": "Toy", "threads": 1, "precision": "fp32",
        "versions": {"mtbert": "0.1", "torch": "2.6"},
    }  # fmt: skip
    assert machine(summary) == "Toy, 1 thread, fp32; mtbert 0.1, torch 2.6."
    assert "2 threads" in machine(summary | {"threads": 2})


def test_details_add_intervals_and_a_table_of_the_classes():
    score = {"value": 0.5, "low": 0.25, "high": 0.75}
    one = {"value": 1.0, "low": 1.0, "high": 1.0}  # every resampling the same: it tells nothing
    good = {
        "name": "good", "rows": 3, "predicted": 4, "precision": score, "recall": one, "f1": score,
    }  # fmt: skip
    details = {
        "sst": {"metrics": {"accuracy": score, "f1": one}, "classes": [good]},
        "sts": {"metrics": {"pearson": {"value": None}}, "classes": []},
    }
    scores, classes, _ = scores_table(SCORES | {"details": details}).split("\n\n")
    assert cells(scores)[2:4] == [
        ["sst", "accuracy", "0.5000", "0.2500", "to", "0.7500"],
        ["sst", "f1", "0.2500"],
    ]
    assert cells(classes)[2:] == [
        ["good", "0.5000", "1.0000", "0.5000", "0.2500", "to", "0.7500", "3", "4"]
    ]
    many = details | {"sst": {**details["sst"], "classes": [good] * 31}}
    assert len(scores_table(SCORES | {"details": many}).split("\n\n")) == 2
