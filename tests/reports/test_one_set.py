"""The section of one dev set: scores, classes, what is never answered, the worst examples."""

from mtbert.config.tasks import TaskSettings
from mtbert.inference.details import describe_answers
from mtbert.reports.charts import Chart
from mtbert.reports.document import ChartsBlock, ExamplesBlock, Fold, TableBlock
from mtbert.reports.one_set import metric_rows, set_section, shown_range


def task(kind="classification", **fields):
    return TaskSettings.model_validate({"kind": kind, "train": "a.csv", "dev": "b.csv"} | fields)


def answer(row, gold, predicted, probabilities=None, **more):
    told = {} if probabilities is None else {"probabilities": probabilities, "score": 0.9}
    return {"id": str(row), "gold": gold, "prediction": predicted, **told, **more}


def classes(names, golds, predictions):
    """Details of answers that are 90 % sure."""
    rest = 0.1 / (len(names) - 1)
    rows = [
        answer(i, g, p, {n: 0.9 if names[p] == n else rest for n in names})
        for i, (g, p) in enumerate(zip(golds, predictions, strict=True))
    ]
    return describe_answers("t", task(labels=names), rows)


def every(blocks):
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from every(block.blocks)


def table(section, caption):
    (found,) = [
        b for b in every(section.blocks)
        if isinstance(b, TableBlock) and b.caption.startswith(caption)
    ]  # fmt: skip
    return found


def worst(section):
    (block,) = [b for b in every(section.blocks) if isinstance(b, ExamplesBlock)]
    return block.examples


def test_of_a_few_classes_all_scores_and_the_confusion_matrix_are_shown():
    found = classes(["a", "b", "c"], [0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 0])
    section = set_section("t", found)
    rows = {row[0]: row for row in table(section, "Scores by class").rows}
    assert rows["a"][1] == "0.500"
    assert rows["a"][3:] == ["0.500", "0.500", "2", "2"]
    assert rows["b"][1] == "0.800"
    assert rows["b"][3:] == ["0.667", "1.000", "2", "3"]
    matrix = table(section, "Rows by true class")
    assert matrix.headers == ["", "a", "b", "c"]
    assert matrix.rows == [["a", "1", "1", "·"], ["b", "·", "2", "·"], ["c", "1", "·", "1"]]
    assert ["accuracy", "0.6667"] in [row[:2] for row in metric_rows(found)]


def test_of_two_classes_metrics_of_the_positive_one_carry_its_name():
    found = classes(["ham", "spam"], [0, 1, 1, 0], [0, 1, 0, 0])
    names = [row[0] for row in metric_rows(found, "spam")]
    assert "F1 of spam" in names
    assert table(set_section("t", found), "Best thresholds").rows[0][0] == "spam"


def test_of_many_classes_the_weakest_come_first_and_all_are_folded():
    names = [f"class {i}" for i in range(77)]
    golds = list(range(77)) * 2
    predictions = [0 if g % 7 == 1 else g for g in golds]
    section = set_section("t", classes(names, golds, predictions))
    weak = table(section, "The ten weakest classes")
    assert len(weak.rows) == 10
    assert weak.rows[0][1] == "0.000"
    (fold,) = [b for b in section.blocks if isinstance(b, Fold) and b.title == "All 77 classes"]
    assert len(fold.blocks[0].rows) == 77
    confused = table(section, "Most confused classes")
    assert confused.rows[0] == ["class 1", "class 0", "2"]
    assert len(confused.rows) == 11


def test_classes_that_nothing_is_known_of_are_named():
    section = set_section("t", classes(["a", "b", "c"], [0, 0, 1], [0, 0, 0]))
    text = " ".join(b for b in section.blocks if isinstance(b, str))
    assert "nothing is known of them: c." in text
    assert "Never given as an answer, though dev rows have them: b." in text
    assert "Every row has the same answer (a): the task has learned nothing yet." in text


def test_a_regression_is_drawn_and_its_worst_rows_are_told():
    rows = [answer(i, float(g), float(p)) for i, (g, p) in enumerate([(1, 2), (3, 3), (5, 1)])]
    found = describe_answers("t", task("regression", range=[0, 5]), rows)
    section = set_section("t", found)
    (charts,) = [b for b in section.blocks if isinstance(b, ChartsBlock)]
    assert isinstance(charts.charts[0], Chart)
    assert [dict(e.facts) for e in worst(section)] == [
        {"label": "5", "answer": "1", "error": "4", "row": "2"},
        {"label": "1", "answer": "2", "error": "1", "row": "0"},
    ]


def test_several_labels_are_told_by_name():
    names = ["sport", "art"]
    rows = [
        {"id": "x", "gold": [0], "prediction": [0, 1], "probabilities": {"sport": 0.9, "art": 0.6}},
        {"id": "y", "gold": [], "prediction": [], "probabilities": {"sport": 0.1, "art": 0.2}},
        {"id": "z", "gold": [1], "prediction": [], "probabilities": {"sport": 0.1, "art": 0.01}},
    ]
    found = describe_answers("t", task("multilabel_classification", labels=names), rows)
    assert [e.facts[:2] for e in worst(set_section("t", found))] == [
        [("label", "art"), ("answer", "(no label)")],
        [("label", "sport"), ("answer", "sport, art")],
    ]


def test_texts_of_mistakes_are_shown():
    found = classes(["a", "b"], [0, 1, 0], [1, 1, 1])
    texts = [["first", "second"], None]
    mistakes = [
        m.model_copy(update={"texts": t}) for m, t in zip(found.mistakes, texts, strict=True)
    ]
    examples = worst(set_section("t", found.model_copy(update={"mistakes": mistakes})))
    assert [list(e.texts) for e in examples] == [["first", "second"], []]
    assert dict(examples[0].facts)["confidence"] == "0.90"


def test_an_undefined_score_says_why():
    rows = [answer(i, 1.0, 2.0) for i in range(3)]
    found = describe_answers("t", task("regression"), rows)
    section = set_section("t", found)
    assert any("undefined" in b for b in section.blocks if isinstance(b, str))
    values = {row[0]: row[1:] for row in metric_rows(found)}
    assert values["pearson"] == ["undefined", ""]


def test_a_range_is_empty_where_nothing_is_known():
    golds = [0, 1] * 50
    predictions = [g if i % 3 else 1 - g for i, g in enumerate(golds)]
    accuracy = classes(["a", "b"], golds, predictions).metrics["accuracy"]
    assert accuracy.value == 0.66
    low, high = map(float, shown_range(accuracy).split(" to "))
    assert 0.54 < low < 0.58  # 0.66 ± 1.96 sqrt(0.66 * 0.34 / 100)
    assert 0.74 < high < 0.77
    for low in (None, accuracy.high):
        assert shown_range(accuracy.model_copy(update={"low": low})) == ""
