import json

import pytest

from mtbert.config.load import load_config
from mtbert.errors import UserError
from mtbert.runs.folder import RunFolder, read_run, read_summary, saved_step
from mtbert.runs.provenance import Provenance

PROVENANCE = Provenance({"tasks.sst.train": "ab"}, {"threads": 1})


@pytest.fixture
def open_run(tmp_path, toy):
    """Open tmp_path/run; what a test opens is closed after it."""
    opened = []

    def open_folder(resume=False, provenance=PROVENANCE, **changes):
        folder = RunFolder(tmp_path / "run", toy.settings(**changes), provenance, resume=resume)
        opened.append(folder)
        return folder

    yield open_folder
    for folder in opened:
        folder.close()


def lines(run):
    return (run.path / "metrics.jsonl").read_text("utf-8").splitlines()


def test_a_new_run_writes_its_configuration_which_reads_back_equal(open_run, toy):
    run = open_run(seed=4)
    assert load_config(str(run.path / "config.yaml")) == toy.settings(seed=4)
    assert not run.finished


def test_a_folder_with_other_files_is_taken(tmp_path, open_run):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    run = open_run()
    assert (run.path / "notes.txt").read_text() == "mine"


def test_a_folder_that_holds_a_run_is_refused_without_resume(open_run):
    open_run().close()
    with pytest.raises(UserError, match="holds a run already; go on with it by --resume"):
        open_run()
    open_run(resume=True)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, open_run):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match="is a file, expected a folder"):
        open_run()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, toy):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written"):
        RunFolder(tmp_path / "file" / "run", toy.settings(), PROVENANCE, resume=False)


def test_a_second_process_on_the_same_folder_is_refused(open_run):
    first = open_run()
    with pytest.raises(UserError, match="another process is working on this run"):
        open_run(resume=True)
    first.close()
    open_run(resume=True)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 9}, "seed: 1, now 9"),
        ({"training": {"batch_size": 5}}, "training.batch_size: 4, now 5"),
        ({"training": {"surgery": "pcgrad"}}, "training.surgery: 'none', now 'pcgrad'"),
        ({"encoder": {"max_length": 12}}, "encoder.max_length: 16, now 12"),
    ],
)
def test_a_changed_key_is_named_and_refused_on_resume(open_run, changes, told):
    open_run().close()
    with pytest.raises(UserError) as error:
        open_run(resume=True, **changes)
    assert told in str(error.value)
    assert "started with other settings" in str(error.value)


def test_a_refused_run_lets_go_of_the_lock_at_once(open_run):
    open_run().close()
    with pytest.raises(UserError) as error:
        open_run(resume=True, seed=9)
    assert error.value is not None  # its traceback still holds what was made
    open_run(resume=True)


def test_records_are_json_lines_in_which_nan_is_null(open_run):
    run = open_run()
    run.start_metrics(0)
    run.log({"kind": "dev", "step": 1, "score": float("nan"), "dev": {"é": [1, float("inf")]}})
    assert lines(run) == ['{"kind": "dev", "step": 1, "score": null, "dev": {"é": [1, null]}}']


def test_lines_after_the_last_saved_step_and_torn_lines_are_dropped(open_run):
    run = open_run()
    run.start_metrics(0)
    for step in (1, 2, 3):
        run.log({"kind": "train", "step": step})
    run.close()
    with (run.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"kind": "train", "step": 2')
    again = open_run(resume=True)
    again.start_metrics(2)
    again.log({"kind": "train", "step": 3, "again": True})
    assert [json.loads(line)["step"] for line in lines(again)] == [1, 2, 3]
    assert json.loads(lines(again)[-1])["again"]


def test_a_metrics_file_with_anything_in_it_is_mended(open_run):
    run = open_run()
    run.start_metrics(0)
    run.log({"kind": "train", "step": 1, "id": "line\u2028separator\x85"})
    run.close()
    with (run.path / "metrics.jsonl").open("ab") as stream:
        stream.write(b'3\n[1]\nnull\n{}\n"x"\n\xff\xfe\n\0\0\0\n{"step": "1"}\n{"step": 1')
    again = open_run(resume=True)
    again.start_metrics(5)
    text = (run.path / "metrics.jsonl").read_text("utf-8")
    assert [json.loads(line)["step"] for line in text.split("\n")[:-1]] == [1]


def test_what_a_killed_run_left_unfinished_is_removed_on_resume(open_run):
    run = open_run()
    run.close()
    left = [".summary.json", "checkpoints/.step-00000001", "predictions/.sst-dev.jsonl", ".model"]
    for name in left:
        path = run.path / f"{name}.0123abcd.partial"
        path.mkdir(parents=True)
        (path / "half").write_text("half")
    open_run(resume=True)
    assert list(run.path.rglob("*.partial")) == []


def test_predictions_and_summary_are_replaced_as_a_whole(open_run):
    run = open_run()
    for text in ("old", "new"):
        run.write_predictions({"sst": [{"id": text}, {"id": "é"}], "sst-other": []})
    folder = run.path / "predictions"
    assert (folder / "sst-dev.jsonl").read_text("utf-8") == '{"id": "new"}\n{"id": "é"}\n'
    assert sorted(p.name for p in folder.iterdir()) == ["sst-dev.jsonl", "sst-other-dev.jsonl"]
    facts = {
        "overall": 0.5,
        "mean": 0.5,
        "best_epoch": 1,
        "seconds": 1.5,
        "seed": 1,
        "versions": {},
    }
    run.write_summary({"dev": {"sts": {"pearson": float("nan")}}, **facts})
    assert run.finished
    assert read_summary(run.path) == {"dev": {"sts": {"pearson": None}}, **facts}


def test_what_is_no_finished_run_is_refused_by_name(tmp_path, open_run):
    with pytest.raises(UserError, match=r"nowhere: not a run folder, no config\.yaml in it"):
        read_run(tmp_path / "nowhere")
    run = open_run()
    with pytest.raises(UserError, match="has no model yet"):
        read_run(run.path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"dev": 3}', "null", b"\xff"])
def test_a_damaged_summary_is_refused_by_name(tmp_path, content):
    raw = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "summary.json").write_bytes(raw)
    with pytest.raises(UserError, match=r"summary\.json: damaged"):
        read_summary(tmp_path)


def test_a_missing_summary_is_told(tmp_path):
    with pytest.raises(UserError, match=r"not a finished run, no summary\.json in it"):
        read_summary(tmp_path)


def test_an_interrupted_run_goes_on_from_its_newest_checkpoint(tmp_path):
    assert saved_step(tmp_path) == 0
    for name in ("step-00000020", "step-00000100", "step-00000003", ".partial-1", "step-x"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / "step-00000999").write_text("no folder")
    assert saved_step(tmp_path) == 100
