"""Grids: which runs they hold, what makes two runs one, and what is refused."""

from collections import Counter

import pytest
from support.studies import ROWS, overrides, write_course

from mtbert.errors import UserError
from mtbert.studies.grid import cells, load_grid, shipped_grids


@pytest.fixture(scope="module")
def base(course):
    """A configuration beside the data, by a name that `base:` finds."""
    (course / "base.yaml").write_text(
        "tasks:\n"
        "  sst: {kind: classification, labels: [a, b, c, d, e], columns: {label: sentiment},\n"
        "        train: ids-sst-train.csv, dev: ids-sst-dev.csv}\n"
        "  sts: {kind: pair_regression, range: [0, 5], columns: {label: similarity},\n"
        "        train: sts-train.csv, dev: sts-dev.csv}\n"
        "training: {batch_size: 4, epochs: 3}\n"
    )
    return course


@pytest.fixture
def grid(base):
    """Write a grid beside the base and read its places."""
    written = []

    def read(text, *changes, name="grid"):
        file = base / f"{name}.yaml"
        file.write_text(text)
        written.append(file)
        return cells(load_grid(str(file)), changes)

    yield read
    for file in written:
        file.unlink(missing_ok=True)


def test_the_papers_experiments_take_sixteen_runs_for_twenty_one_places(paper_cells):
    """Section 4.3: 6 + 2 + 7 + 6 places; STS alone, all three and the pairs stand in two tables."""
    for form in ("paper", "ours"):
        for seed in (1, 2):
            own = [c for c in paper_cells if (c.form, c.seed) == (form, seed)]
            assert Counter(c.experiment.name for c in own) == {
                "pretrain-vs-finetune": 6, "batching": 2, "task-count": 7, "gradient-surgery": 6
            }  # fmt: skip
            assert len({c.run.key for c in own}) == 16
    assert len({c.run.key for c in paper_cells}) == 64


def test_every_run_of_experiments_3_and_4_has_the_steps_of_the_smallest_data_set(paper_cells):
    smallest = ROWS["sts"][0] // 4
    for cell in paper_cells:
        if cell.experiment.name in ("task-count", "gradient-surgery"):
            assert cell.run.steps == 2 * smallest, cell.variation
    full = {
        c.variation: c.run.steps for c in paper_cells if c.experiment.name == "pretrain-vs-finetune"
    }
    assert {t: full[t] for t in ROWS} == {t: 2 * rows // 4 for t, (rows, _) in ROWS.items()}


def test_the_forms_differ_as_they_should(paper_cells):
    both = {c.form: c.run.settings for c in paper_cells if c.variation == "method3" and c.seed == 1}
    assert both["paper"].tasks["para"].pair_encoding == "separately"
    assert both["ours"].tasks["para"].pair_encoding == "both_orders"
    assert both["paper"].training.batching == both["ours"].training.batching
    assert both["paper"].training.batching.name == "method3"


def test_seeds_are_in_the_outermost_loop_and_names_tell_the_run(grid):
    found = grid("base: base.yaml\nseeds: [3, 1]\nvariations: {x: {}, y: {tasks: [sst]}}\n")
    assert [(c.seed, c.variation) for c in found] == [(3, "x"), (3, "y"), (1, "x"), (1, "y")]
    assert {c.form for c in found} == {"base"}
    assert found[1].run.name == f"base-y-s3-{found[1].run.key}"
    assert list(found[1].run.settings.tasks) == ["sst"]


def test_the_stronger_setting_wins(grid):
    text = (
        "forms:\n  one: {base: base.yaml, set: {training.warmup: 0.2, training.epochs: 5}}\n"
        "set: {training.epochs: 4, training.batch_size: 6}\n"
        "variations:\n  x: {set: {training.epochs: 6}}\n  y: {}\n"
    )
    x, y = (c.run.settings.training for c in grid(text, "training.batch_size=2"))
    assert (x.epochs, y.epochs) == (6, 5)
    assert (x.warmup, x.batch_size) == (0.2, 2)


def test_an_including_grid_changes_what_it_includes(grid):
    grid(
        "base: base.yaml\nseeds: [1, 2]\nvariations: {x: {set: {training.epochs: 2}}, y: {}}\n",
        name="in",
    )
    found = grid(
        "include: [in.yaml]\nseeds: [5]\nset: {training.epochs: 9}\n"
        "variations: {y: {tasks: [sts], set: {training.epochs: 7}}}\n"
    )
    epochs = [
        (c.variation, c.run.settings.training.epochs, list(c.run.settings.tasks)) for c in found
    ]
    assert epochs == [("x", 9, ["sst", "sts"]), ("y", 7, ["sts"])]
    assert {c.seed for c in found} == {5}


def test_a_cap_that_changes_nothing_makes_no_other_run(grid):
    text = (
        "base: base.yaml\n"
        "set: {training.batching: method3}\n"
        "variations:\n  free: {}\n  capped: {set: {training.steps_per_epoch: %s}}\n"
    )
    for cap, same in (("smallest", True), (3, True), (2, False)):
        free, capped = grid(text % cap)  # method 3 of STS: three batches
        assert (free.run is capped.run) is same


def test_work_counts_three_passes_for_a_step_and_one_for_an_evaluation(grid, base):
    (cell,) = grid("base: base.yaml\nvariations: {x: {tasks: [sst], set: {training.epochs: 2}}}\n")

    def characters(split):
        lines = (base / f"ids-sst-{split}.csv").read_text().splitlines()[1:]
        return sum(len(line.split(",")[1]) for line in lines)

    assert cell.run.work == pytest.approx(2 * (3 * characters("train") + characters("dev")))


BAD = {
    "unknown key": ("base: base.yaml\nvariation: {}\n", "did you mean 'variations'?"),
    "unknown key inside": (
        "base: base.yaml\nvariations: {x: {task: [sst]}}\n",
        "variations.x.task: unknown key; did you mean 'tasks'?",
    ),
    "no base": ("seeds: [1]\n", "set `base`, or `forms` with a base each, or `include`"),
    "base and include": ("base: base.yaml\ninclude: [batching]\n", "exclude each other"),
    "form without base": ("forms: {a: {}}\n", "every one of `forms` needs a `base`"),
    "no seed": ("base: base.yaml\nseeds: []\n", "seeds:"),
    "bad name": ("base: base.yaml\nvariations: {../x: {}}\n", "variations: '../x' cannot be"),
    "unknown task": ("base: base.yaml\nvariations: {x: {tasks: [sstx]}}\n", "did you mean 'sst'?"),
    "unknown setting": ("base: base.yaml\nset: {training.epoch: 1}\n", "did you mean 'epochs'?"),
    "bad setting": ("base: base.yaml\nset: {training.epochs: -1}\n", "training.epochs"),
    "no such base": ("base: nothing.yaml\n", "'nothing.yaml' is neither a file nor a shipped name"),
    "no such include": ("include: [batchin]\n", "did you mean 'batching'?"),
    "unknown variation": (
        "include: [batching]\nvariations: {method4: {}}\n",
        "variations.method4: not in what is included",
    ),
    "twice": ("include: [batching, batching]\n", "include: 'batching' is listed twice"),
    "itself": ("include: [grid.yaml]\n", "includes itself"),
    "alias": ("base: &a base.yaml\nseeds: *a\n", "aliases (*name) are not allowed"),
    "list": ("- base.yaml\n", "expected `key: value` lines, found list"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_bad_grid_is_refused_by_name(grid, text, told):
    with pytest.raises(UserError) as caught:
        grid(text)
    assert told in str(caught.value)


def test_a_grid_of_too_many_places_is_refused_before_work(grid):
    with pytest.raises(UserError, match="20000 places, at most 10000"):
        grid(
            "base: base.yaml\nseeds: " + str([*range(200)]) + "\nvariations:\n"
            + "".join(f"  v{i}: {{}}\n" for i in range(100))
        )  # fmt: skip


def test_every_shipped_grid_can_be_read():
    for name in shipped_grids():
        assert load_grid(name), name


def test_data_that_are_not_there_are_named(tmp_path):
    course = write_course(tmp_path / "data")
    (course / "quora-train.csv").unlink()
    with pytest.raises(UserError, match=r"quora-train\.csv"):
        cells(load_grid("batching"), overrides(course))
