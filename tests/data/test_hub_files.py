"""Data sets of the Hub: the files of a split, from a server that answers as the Hub does."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote

import pytest

from mtbert.config.hub_names import hub_data
from mtbert.data import hub_files
from mtbert.errors import UserError

COMMIT, CONVERTED = "a" * 40, "b" * 40
CARD = """---
configs:
- config_name: plain
  data_files:
  - split: train
    path: plain/train-*
  - split: validation
    path: [plain/dev.csv]
- config_name: other
  data_files: other.csv
---
# A card
"""
ROWS = b"sentence,label\nx,0\ny,1\n"
REPOSITORIES = {
    ("o/carded", COMMIT): {
        "README.md": CARD.encode(),
        "plain/train-0.csv": ROWS,
        "plain/train-1.csv": ROWS,
        "plain/dev.csv": ROWS,
        "other.csv": ROWS,
    },
    ("o/script", COMMIT): {"script.py": b"raise SystemExit"},
    ("o/script", CONVERTED): {"default/train/0000.jsonl": b'{"sentence": "x", "label": 0}\n'},
}


class Hub(http.server.BaseHTTPRequestHandler):
    """What huggingface_hub asks of the Hub for a data set."""

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        parts = [unquote(part) for part in self.path.split("?")[0].strip("/").split("/")]
        if parts[:2] == ["api", "datasets"]:
            repository = "/".join(parts[2:4])
            asked = "/".join(parts[5:])
            sha = CONVERTED if asked in ("refs/convert/parquet", CONVERTED) else COMMIT
            files = REPOSITORIES.get((repository, sha))
            if files is None:
                return self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)
            if parts[4:5] == ["tree"]:
                tree = [
                    {"type": "file", "path": name, "size": len(body), "oid": sha}
                    for name, body in files.items()
                ]
                return self.reply(200, json.dumps(tree).encode(), {}, with_body)
            told = {"id": repository, "sha": sha, "siblings": [{"rfilename": n} for n in files]}
            return self.reply(200, json.dumps(told).encode(), {}, with_body)
        if len(parts) < 6:
            return self.reply(404, b"", {}, with_body)
        repository, commit, name = "/".join(parts[1:3]), parts[4], "/".join(parts[5:])
        body = REPOSITORIES.get((repository, commit), {}).get(name)
        if body is None:
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"}, with_body)
        etag = hashlib.sha1(body).hexdigest()
        return self.reply(200, body, {"ETag": f'"{etag}"', "X-Repo-Commit": commit}, with_body)

    def reply(self, status, body, headers, with_body):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path):
    """A function: runs Python code with this Hub, or offline with what is kept of it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def run(code, **environment):
        base = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        home = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=base | home | {"HF_HUB_DISABLE_XET": "1"} | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    yield run
    server.shutdown()
    server.server_close()


CODE = """
import json, sys
from mtbert.data.hub_files import hub_files
from mtbert.errors import UserError
told = {}
for name in %r:
    try:
        told[name] = [p.read_text() and "/".join(p.parts[-2:]) for p in hub_files(name)]
    except UserError as error:
        told[name] = str(error)
print(json.dumps(told))
"""


def test_a_data_set_is_fetched_from_the_hub_and_found_again_without_a_connection(hub):
    names = [
        "hub:o/carded/plain:train", "hub:o/carded/plain:validation", "hub:o/carded/other:train",
        "hub:o/script:train", "hub:o/carded:train", "hub:o/carded/plain:test", "hub:o/gone:train",
    ]  # fmt: skip
    told = hub(CODE % names)
    assert list(told.values())[:3] == [
        ["plain/train-0.csv", "plain/train-1.csv"],
        ["plain/dev.csv"],
        [f"{COMMIT}/other.csv"],
    ]
    assert told["hub:o/script:train"] == ["train/0000.jsonl"]
    assert "expected one of other, plain" in told["hub:o/carded:train"]
    assert "no files of the split 'test'" in told["hub:o/carded/plain:test"]
    assert "could not be fetched from the Hub" in told["hub:o/gone:train"]
    pinned = [f"hub:o/carded/plain@{COMMIT}:train", "hub:o/never:train"]
    offline = hub(CODE % [*pinned], HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
    assert offline[pinned[0]] == told[names[0]]
    assert "fetch it once with a connection" in offline[pinned[1]]


@pytest.mark.parametrize(
    ("wanted", "names", "found"),
    [
        ("hub:a/b:train", ["data/train-0-of-2.parquet", "data/train-1-of-2.parquet"], 2),
        ("hub:a/b:validation", ["train.csv", "dev.csv", "test.csv"], ["dev.csv"]),
        ("hub:a/b:train", ["a.csv"], ["a.csv"]),
        ("hub:a/b:test", ["a.csv"], []),
        ("hub:a/b:train", ["trained.csv", "my_train.csv"], ["my_train.csv"]),
        ("hub:a/b/c:train", ["c/train-0.parquet", "d/train-0.parquet"], ["c/train-0.parquet"]),
        ("hub:a/b:train", ["train.csv", "train.parquet", "train.py"], ["train.parquet"]),
        ("hub:a/b:test", ["test/x.jsonl.gz", "train/y.jsonl.gz"], ["test/x.jsonl.gz"]),
    ],
)
def test_without_a_card_names_of_files_tell_the_split(wanted, names, found):
    chosen = hub_files._by_names(wanted, hub_data(wanted), names)
    assert chosen == (sorted(names) if found == 2 else found)


def test_several_configurations_are_named():
    names = ["c/train.csv", "d/train.csv"]
    with pytest.raises(UserError, match="several configurations, expected one of c, d"):
        hub_files._by_names("hub:a/b", hub_data("hub:a/b:train"), names)
    with pytest.raises(UserError, match="no configuration 'e', expected one of c, d"):
        hub_files._by_names("hub:a/b/e", hub_data("hub:a/b/e:train"), names)


@pytest.mark.parametrize("card", ["", "# none", "---\n: [\n---\n", "---\nconfigs: 5\n---\n"])
def test_a_card_that_says_nothing_is_none(card, tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text(card)
    monkeypatch.setattr(hub_files, "_fetch", lambda *_: Path(tmp_path))
    assert hub_files._configs("hub:a/b", "a/b", COMMIT) == []
