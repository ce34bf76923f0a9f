"""What reports read of a study: the same from run folders and from exported records."""

import pytest

from mtbert.commands.report import study_sections
from mtbert.paper.measured import measure
from mtbert.paper.sections import changes_csv
from mtbert.reports.document import to_markdown
from mtbert.reports.study import results_csv
from mtbert.studies.results import Results, export, is_export, load_results


@pytest.fixture(scope="module")
def exported(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "out"
    export(study, folder)
    return folder


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


def test_tables_are_made_again_without_the_runs(study, exported, monkeypatch):
    monkeypatch.setattr("mtbert.paper.figures.figure_sections", lambda results: [])
    first, again = load_results(study), load_results(exported)
    assert is_export(exported)
    assert not is_export(study)
    texts = [
        to_markdown("t", study_sections(results, measure(results)))[0] for results in (first, again)
    ]
    assert texts[0] == texts[1]
    changes = [changes_csv(measure(results)).count("\n") for results in (first, again)]
    assert changes[0] == changes[1] > 40
    for line, other in zip(results_csv(first).splitlines()[1:], results_csv(again).splitlines()[1:],
                           strict=True):  # fmt: skip
        values, others = line.split(","), other.split(",")
        assert values[:7] == others[:7]
        assert float(values[7]) == pytest.approx(float(others[7]), rel=1e-7)


def test_an_export_holds_no_text_of_the_data_and_is_small(exported, course):
    sizes = [file.stat().st_size for file in (exported / "runs").iterdir()]
    assert len(sizes) == 64 + 3 + 1  # runs, labels of three tasks, study.json
    assert max(sizes) < 20_000
    words = [row.split(",")[1] for row in (course / "sts-dev.csv").read_text().splitlines()[1:]]
    for file in (exported / "runs").glob("*-s1-*.json"):
        text = file.read_text("utf-8")
        assert not [word for word in words if word in text]
        assert str(course) not in text


def test_an_export_is_added_to_and_not_written_again(study, exported):
    file = sorted((exported / "runs").glob("*-s2-*.json"))[0]
    before = file.stat().st_mtime_ns
    other = sorted((exported / "runs").glob("*-s2-*.json"))[1]
    other.unlink()
    export(study, exported)
    assert file.stat().st_mtime_ns == before
    assert other.is_file()


def test_places_and_groups_are_those_of_the_index(results):
    assert list(results.experiments) == [
        "pretrain-vs-finetune", "batching", "task-count", "gradient-surgery",
    ]  # fmt: skip
    assert results.forms == ["paper", "ours"]
    assert results.variations("batching") == ["method2", "method3"]
    group = results.group("batching", "ours", "method2")
    assert (group.name, group.seeds) == ("method2", (1, 2))
    assert results.planned("batching", "ours", "method2") == 2
    assert results.group("batching", "ours", "method9") is None
    assert results.planned("batching", "ours", "method9") == 0
    assert results.missing == []


def test_what_is_not_finished_is_missing(results):
    name = results.group("batching", "ours", "method2").records[0].name
    part = Results(results.places, {n: r for n, r in results.records.items() if n != name})
    assert part.missing == [name]
    assert part.group("batching", "ours", "method2").seeds == (2,)
    assert part.planned("batching", "ours", "method2") == 2
