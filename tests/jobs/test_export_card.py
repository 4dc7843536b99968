"""The model card of an export: figures with what they rest on, no path of the machine."""

import base64
import http.server
import importlib.util
import json
import os
import sys
import threading

import pytest

from slr_keras import backend, evaluate, export
from tests import processes


@pytest.fixture
def run(learned, copy_of):
    return copy_of(learned)


def metrics(text):
    """The metrics of the head, by their names."""
    lines = [line for line in text.split("---")[1].splitlines() if "type: accuracy" in line]
    pairs = (line.partition("name: ")[2].rstrip("}").rsplit(", value: ", 1) for line in lines)
    return {json.loads(name): float(value) for name, value in pairs}


def test_a_card_of_an_evaluated_run(run, job):
    options = ("--attacks", "clean", "pgd-2", "--num-samples", 40)
    assert job(evaluate.main, run, *options).code == 0
    done = job(export.main, run, "--format", "keras")
    assert done.code == 0 and "model card" in done.out
    text = (run / "exported.md").read_text()
    found = json.loads((run / "evaluation.json").read_text())["results"]
    for row in found:
        assert metrics(text)[f"accuracy, {row['attack']}"] == pytest.approx(row["accuracy"])
    assert "| pgd-2 |" in text and "| 40 |" in text and "No AutoAttack was run" in text
    assert str(run) not in text and "run_dir" not in text and "is no certificate" in text


@pytest.mark.skipif(backend.name() != "tensorflow", reason="a SavedModel needs TensorFlow")
def test_a_saved_model_loads_and_its_card_has_the_figures_of_the_run(run, job):
    import tensorflow as tf

    assert job(export.main, run, "--which", "final", "--overwrite").code == 0
    text = (run / "savedmodel" / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: keras")
    summary = json.loads((run / "summary.json").read_text())
    robust = metrics(text)[f"accuracy, {summary['attack']}"]
    assert robust == pytest.approx(summary["final"]["robust_accuracy"], abs=1e-4)
    tf.saved_model.load(str(run / "savedmodel"))


def test_a_plain_file_has_no_card(run, job, tmp_path):
    file = tmp_path / "plain" / "net.keras"
    file.parent.mkdir()
    file.write_bytes((run / "best.keras").read_bytes())
    done = job(export.main, file, "--format", "keras")
    assert done.code == 0 and "model card" not in done.out and not list(file.parent.glob("*.md"))


class Hub(http.server.BaseHTTPRequestHandler):
    """What of the Hugging Face Hub an upload of small files needs, on this machine."""

    def do_POST(self):
        length = self.headers.get("Content-Length")
        body = self.rfile.read(int(length)) if length else self._chunks()
        self.server.seen.append((self.path, body))
        url = f"{self.server.address}/me/net"
        answer = {"url": url, "commitUrl": f"{url}/commit/0", "commitOid": "0"}
        if "preupload" in self.path:
            files = [one["path"] for one in json.loads(body)["files"]]
            answer = {
                "files": [
                    {"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files
                ]
            }
        self._send(answer)

    def do_GET(self):
        self._send({"sha": "0", "id": "me/net"})

    def _chunks(self):
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, answer):
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.seen, server.address = [], f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def push(run, address, *words):
    command = [sys.executable, "-m", "slr_keras.export", str(run), "--format", "keras", *words]
    env = os.environ | {"HF_ENDPOINT": address, "HF_TOKEN": "hf_x", "HF_HUB_DISABLE_XET": "1"}
    return processes.finished([*command, "--push", "me/net"], env=env)


def test_a_card_and_a_model_are_pushed(run, hub):
    pytest.importorskip("huggingface_hub")
    done = push(run, hub.address)
    assert done.returncode == 0, done.stderr
    assert f"pushed to {hub.address}/me/net" in done.stdout
    (commit,) = [body for path, body in hub.seen if "/commit/" in path]
    lines = [json.loads(line) for line in commit.splitlines()]
    sent = {
        one["value"]["path"]: base64.b64decode(one["value"]["content"])
        for one in lines
        if one["key"] == "file"
    }
    assert sent["exported.keras"] == (run / "exported.keras").read_bytes()
    assert sent["README.md"] == (run / "exported.md").read_bytes()
    hub.shutdown()
    hub.server_close()
    done = push(run, hub.address, "--overwrite")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "is written, but was not pushed to me/net" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "words, said",
    [(["--push", "net"], "expected USER/NAME"), (["--push", "me/net"], "huggingface_hub")],
)
def test_what_cannot_be_pushed_is_said_first(run, job, monkeypatch, words, said):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    done = job(export.main, run, "--format", "keras", *words)
    assert done.code == 2 and said in done.err and not (run / "exported.keras").exists()
