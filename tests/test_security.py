"""What SECURITY.md claims of the sources, of the lock file and of a loaded model folder."""

import ast
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.toy import copy_model
from test_architecture import MODULES, TREES, dotted, imports

from mtbert.errors import UserError
from mtbert.inference.model import MultitaskModel
from mtbert.model import hub
from mtbert.studies.engines.local import launch_train

ROOT = Path(__file__).parent.parent
UNPICKLERS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "jsonpickle",
}
NETWORK = {"socket", "ssl", "http", "urllib", "requests", "httpx", "aiohttp", "ftplib", "smtplib"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
RUNS_MODULES = {"import_module", "run_path", "run_module"}
RUNS_COMMANDS = {"system", "popen", "Popen", "check_output", "check_call", "getoutput", "spawnv"}


def unsafe(tree):
    """Names of the calls in a tree that could run what a file holds."""
    return [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and is_unsafe(
            name := dotted(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        )
    ]


def is_unsafe(name, keywords):
    owner, _, method = name.rpartition(".")
    return (
        method in RUNS_COMMANDS
        or name == "subprocess.run"
        or "shell" in keywords
        or (method in RUNS_TEXT and owner in ("", "builtins"))
        or method in RUNS_MODULES
        or (name == "torch.load" and keywords.get("weights_only") != "True")
        or name in ("np.load", "numpy.load")
        or "allow_pickle" in keywords
        or (owner.split(".")[-1] == "yaml" and "load" in method)  # ours is used where it is made
        or (method == "YAML" and keywords != {"typ": "'safe'", "pure": "True"})
        or keywords.get("trust_remote_code", "False") != "False"
    )


@pytest.mark.parametrize(
    "line",
    [
        "eval(text)", "exec(text)", "importlib.import_module(name)", "torch.load(file)",
        "torch.load(file, weights_only=False)", "np.load(file)", "np.load(f, allow_pickle=True)",
        "yaml.load(text)", "YAML()", "YAML(typ='unsafe').load(text)", "YAML(typ='safe')",
        "os.system(line)", "subprocess.run(line, shell=True)", "subprocess.Popen(line)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_check_itself_finds_what_is_unsafe(line):
    assert unsafe(ast.parse(line))


@pytest.mark.parametrize(
    "line", ["torch.load(file, weights_only=True)", "YAML(typ='safe', pure=True).load(text)"]
)
def test_the_check_itself_lets_the_safe_forms_pass(line):
    assert unsafe(ast.parse(line)) == []


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_unpickles_runs_text_or_starts_commands(module):
    told = {
        "__init__": ["import_module"],  # of what the package exports
        "model.encoders.base": ["importlib.import_module"],  # of the families in their table
        "studies.engines.local": ["subprocess.Popen"],  # the next test
    }
    assert unsafe(TREES[module]) == told.get(module, [])
    assert {name.split(".")[0] for name in imports(module)}.isdisjoint(UNPICKLERS)


def test_the_one_command_that_is_started_is_mtbert_itself(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, **rest: started.append((words, rest)))
    monkeypatch.chdir(tmp_path)
    path = Path("--tensorboard; $(touch x)")
    path.mkdir()
    launch_train(path, {})
    ((words, rest),) = started
    whole = str(tmp_path / path)
    assert words[:4] == [sys.executable, "-m", "mtbert", "train"]
    assert words[4:] == [f"{whole}/planned.yaml", "--output", whole, "--resume"]
    assert "shell" not in rest


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_opens_a_connection_itself(module):
    """Downloads are left to huggingface_hub, and to one module for models and one for data.

    What else is taken from there are the plain classes of a model card.
    """
    names = set(imports(module))
    assert {name.split(".")[0] for name in names}.isdisjoint(NETWORK)
    of_hub = {name.partition(".")[2] for name in names if name.split(".")[0] == "huggingface_hub"}
    if module in ("export.card_metadata", "export.model_card"):
        of_hub -= {"", "ModelCard", "ModelCardData", "EvalResult"}
    assert not of_hub or module in ("model.hub", "data.hub_files")


def test_every_locked_dependency_has_hashes_and_no_address():
    text = (ROOT / "requirements.lock").read_text("utf-8")
    packages = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^#.*\n", "", text))
    assert len(packages) > 50
    assert [p for p in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", p)] == []
    assert "://" not in text
    assert "--require-hashes" in (ROOT / "Makefile").read_text("utf-8")


def test_torch_and_the_others_are_at_least_the_versions_without_known_holes():
    """CVE-2025-32434 is mended in torch 2.6."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    low = re.search(r'"torch>=(\d+)\.(\d+)', text)
    assert tuple(map(int, low.groups())) >= (2, 6)


def test_of_the_hub_only_data_are_taken_and_what_is_not_pinned_is_said(
    monkeypatch, tmp_path, caplog
):
    import huggingface_hub

    calls = []

    def download(source, **options):
        calls.append(options)
        return str(tmp_path / ("a" * 40))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    commit = "b" * 40
    hub.locate("owner/name", commit)
    assert not caplog.records
    hub.locate("owner/name", "main")
    assert f"encoder.revision={'a' * 40}" in caplog.text
    assert [c["revision"] for c in calls] == [commit, "main"]
    for pattern in calls[0]["allow_patterns"]:
        assert re.fullmatch(r"[\w.]+\.(json|safetensors|txt)", pattern)


class Malicious:
    """Unpickling it creates a file."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return (open, (self.target, "w"))


WATCHED = """
import json, sys
from mtbert import MultitaskModel
from mtbert.inference import predict
import mtbert.inference.saved_run
events = []
names = ("open", "pickle.find_class", "socket.connect", "socket.getaddrinfo", "subprocess.Popen",
         "os.system", "os.exec", "import")
sys.addaudithook(lambda name, arguments: name in names and events.append((name, str(arguments[0]))))
model = MultitaskModel.from_pretrained(sys.argv[1])
answers = model.predict("sst", ["a good film"])
print(json.dumps([len(answers), events]))
"""


def test_a_model_folder_with_code_and_pickles_is_read_without_touching_them(finished, tmp_path):
    """Audit hooks of the interpreter see every file, import, connection, process and pickle."""
    folder, created = copy_model(finished, tmp_path / "model"), tmp_path / "created"
    evil = f"open({str(created)!r}, 'w')\n"
    for name in ("modeling_bert.py", "__init__.py", "conftest.py", "sitecustomize.py"):
        (folder / name).write_text(evil)
    torch.save({"a": Malicious(created)}, folder / "pytorch_model.bin")
    (folder / "training_args.bin").write_bytes(pickle.dumps(Malicious(created)))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {
        "auto_map": {"AutoModel": "modeling_bert.Evil", "AutoConfig": "owner/name--x.Evil"},
        "custom_pipelines": {"evil": {"impl": "modeling_bert.Evil"}},
        "trust_remote_code": True,
        "_attn_implementation": "owner/kernel",
        "torch_dtype": "__import__('os')",
    }
    (folder / "config.json").write_text(json.dumps(config))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    run = subprocess.run(
        [sys.executable, "-c", WATCHED, str(folder)],
        capture_output=True, text=True, cwd=ROOT, env=environment, check=True,
    )  # fmt: skip
    answers, events = json.loads(run.stdout.splitlines()[-1])
    assert answers == 1
    assert not created.exists()
    opened = {Path(path).name for name, path in events if name == "open" and str(folder) in path}
    assert {"config.json", "mtbert.json", "heads.safetensors"} <= opened  # the hook sees files
    assert all(name.endswith((".json", ".safetensors")) for name in opened)
    assert {"modeling_bert", "sitecustomize"}.isdisjoint(p for n, p in events if n == "import")
    others = {name for name, _ in events} - {"open", "import"}
    assert others == set()


@pytest.mark.parametrize("file", ["model.safetensors", "heads.safetensors", "mtbert.json"])
def test_a_pickle_under_another_name_is_refused(finished, tmp_path, file):
    folder, created = copy_model(finished, tmp_path / "model"), tmp_path / "created"
    (folder / file).write_bytes(pickle.dumps(Malicious(created)))
    with pytest.raises(UserError, match=re.escape(file)):
        MultitaskModel.from_pretrained(folder)
    assert not created.exists()


def named_tests():
    """`file::test` as SECURITY.md names them."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text("utf-8"))


def test_every_claim_names_a_test():
    _, done = (ROOT / "SECURITY.md").read_text("utf-8").split("## What is done")
    rows = [line for line in done.splitlines() if line.startswith("| ")]
    claims = [row for row in rows if "| proved by" not in row]
    assert len(claims) > 20
    assert [line for line in claims if not re.search(r"`tests/[\w/]+\.py::\w+`", line)] == []


@pytest.mark.parametrize(("file", "test"), sorted(set(named_tests())))
def test_a_test_that_is_named_exists(file, test):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
