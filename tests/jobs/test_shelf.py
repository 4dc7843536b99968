"""The shelf: what is put there comes back verified, or not at all; figures are measured again."""

import functools
import hashlib
import http.server
import json
import os
import pathlib
import re
import threading

import keras
import numpy as np
import pytest

import slr_keras as slr
from slr_keras import saving, shelf
from slr_keras.errors import UserError
from slr_keras.evaluation import suite
from slr_keras.shelves import Shelf, _shelf
from slr_keras.terminal import targets
from tests.jobs.test_jobs_full_disk import file_limit

NAME = "digits-slr"


@pytest.fixture(scope="module")
def stocked(finished, tmp_path_factory, command):
    """A shelf with one network on it; read-only."""
    place = tmp_path_factory.mktemp("shelf")
    words = ("--name", NAME, "--shelf", place, "--license", "Apache-2.0")
    assert command(shelf.main, "add", finished, *words) == 0
    return place


@pytest.fixture
def mine(stocked, copy_of):
    return copy_of(stocked)


@pytest.fixture(autouse=True)
def no_shelf_of_the_user(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("SLR_KERAS_SHELF", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))


@pytest.fixture
def never_opened(monkeypatch):
    """Fails if anything is deserialised."""
    monkeypatch.setattr(saving.keras.models, "load_model", lambda *_, **__: pytest.fail("opened"))


def index(place):
    return json.loads((place / "shelf.json").read_text())


def change(place, **changes):
    table = index(place)
    table["networks"][NAME] |= changes
    (place / "shelf.json").write_text(json.dumps(table))


def network_file(place):
    return place / index(place)["networks"][NAME]["file"]


# -- what is put there ------------------------------------------------------------------------


def test_everything_is_read_from_the_run(stocked, finished):
    row = index(stocked)["networks"][NAME]
    content, summary = (
        network_file(stocked).read_bytes(),
        json.loads((finished / "summary.json").read_text()),
    )
    assert content == (finished / "best.keras").read_bytes()
    assert (row["size"], row["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (row["which"], row["epoch"]) == ("best", summary["best"]["epoch"])
    assert (row["data"], row["method"], row["model"]) == ("digits", "slr", "small_cnn")
    assert row["license"] == "Apache-2.0" and re.fullmatch(r"\d{4}-\d\d-\d\d", row["date"])
    assert row["settings"]["attack"]["steps"] == 4 and "keras" in row["versions"]
    clean, pgd = row["figures"]
    assert (clean["accuracy"], pgd["accuracy"]) == (
        summary["best"]["accuracy"],
        summary["best"]["robust_accuracy"],
    )
    assert pgd["attack"] == "pgd-2" and pgd["samples"] == 50
    assert str(finished) not in (stocked / "shelf.json").read_text()
    assert (stocked / row["card"]).read_text().startswith("---\nlibrary_name: keras")
    assert {path.name for path in stocked.iterdir()} == {"shelf.json", row["file"], row["card"]}


def test_it_comes_back(stocked, finished, monkeypatch):
    wanted = saving.load_model(finished / "best.keras").get_weights()
    monkeypatch.setenv("SLR_KERAS_SHELF", str(stocked))
    for net in (slr.models.load(NAME), slr.models.load(f"shelf:{NAME}", stocked, which="best")):
        for old, new in zip(wanted, net.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)


def test_list_show_and_replace(mine, finished, job):
    done = job(shelf.main, "list", "--shelf", mine)
    assert done.code == 0 and NAME in done.out.replace("\n", "") and "pgd-2" in done.out
    done = job(shelf.main, "show", NAME, "--shelf", mine)
    assert done.code == 0 and "licence Apache-2.0" in done.out and "## Accuracy" in done.out
    words = ("add", finished, "--name", NAME, "--which", "final", "--shelf", mine)
    done = job(shelf.main, *words)
    assert done.code == 2 and "already: give --replace" in done.err
    assert job(shelf.main, *words, "--replace").code == 0
    row = index(mine)["networks"][NAME]
    assert row["which"] == "final" and len(list(mine.iterdir())) == 3
    with pytest.raises(UserError, match="is the final epoch of its run; the shelf has no best"):
        slr.models.load(NAME, mine, which="best")


def test_nothing_is_added_that_has_no_figures_of_its_own(finished, copy_of, job, tmp_path):
    run, place = copy_of(finished), tmp_path / "new"
    evaluation = {"which": "best", "model_digest": "0" * 16, "samples": 40}
    row = {"attack": "clean", "accuracy": 0.5, "interval": [0.4, 0.6], "settings": {}}
    (run / "evaluation.json").write_text(json.dumps(evaluation | {"results": [row]}))
    done = job(shelf.main, "add", run, "--name", "x", "--shelf", place)
    assert done.code == 2 and "is of another network than best.keras" in done.err
    (run / "evaluation.json").unlink()
    (run / "summary.json").unlink()
    done = job(shelf.main, "add", run, "--name", "x", "--shelf", place)
    assert done.code == 2 and "has no figures of its best network" in done.err
    assert not place.exists()


def test_a_shelf_that_cannot_be_written_stays_as_it_was(stocked, mine, finished, job, tmp_path):
    before = {path.name: path.read_bytes() for path in mine.iterdir()}
    words = ("add", finished, "--name", "more", "--shelf")
    with file_limit(1_000):
        done = job(shelf.main, *words, mine)
    assert done.code == 2 and done.err.count("\n") == 1 and "cannot write the shelf" in done.err
    assert {path.name: path.read_bytes() for path in mine.iterdir()} == before
    (tmp_path / "file").write_text("")
    done = job(shelf.main, *words, tmp_path / "file")
    assert done.code == 2 and "cannot write the shelf" in done.err
    done = job(shelf.main, *words, stocked.as_uri())
    assert done.code == 2 and "expected a folder to add to" in done.err


# -- what is not opened -----------------------------------------------------------------------


def test_other_bytes_are_never_opened(mine, never_opened):
    file = network_file(mine)
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="has the SHA-256 .*not opened"):
        slr.models.load(NAME, mine)
    file.write_bytes(content[:-1])
    with pytest.raises(UserError, match="has .* bytes, expected"):
        slr.models.load(NAME, mine)
    file.unlink()
    with pytest.raises(UserError, match="cannot read .*No such file"):
        slr.models.load(NAME, mine)


def test_an_address_is_fetched_once_and_works_offline(mine, capsys):
    address = mine.as_uri()
    first = slr.models.load(NAME, address)
    kept = Shelf(address).folder
    assert kept.is_relative_to(os.environ["XDG_CACHE_HOME"])
    elsewhere = mine.rename(mine.with_name("gone"))
    again = slr.models.load(NAME, address)
    assert "taken as it was last" in capsys.readouterr().err
    for old, new in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.raises(UserError, match="cannot read file://"):
        slr.models.load(NAME, f"{address}-other")
    elsewhere.rename(mine)


def test_what_an_address_gives_is_not_kept_if_it_is_something_else(mine, never_opened):
    network_file(mine).write_bytes(b"x" * index(mine)["networks"][NAME]["size"])
    with pytest.raises(UserError, match="has the SHA-256 .*not opened, nor kept"):
        slr.models.load(NAME, mine.as_uri())
    assert [path.name for path in Shelf(mine.as_uri()).folder.iterdir()] == ["shelf.json"]
    network_file(mine).write_bytes(b"x" * 10**6)
    with pytest.raises(UserError, match="is longer than"):
        slr.models.load(NAME, mine.as_uri())
    assert [path.name for path in Shelf(mine.as_uri()).folder.iterdir()] == ["shelf.json"]


def test_a_copy_that_was_damaged_is_fetched_anew(mine):
    place = Shelf(mine.as_uri())
    place.file(NAME).write_bytes(b"damaged")
    assert place.file(NAME).read_bytes() == network_file(mine).read_bytes()


def test_over_http(stocked, job):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(stocked))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert job(shelf.main, "verify", NAME, "--shelf", address).code == 0
        assert "## Accuracy" in job(shelf.main, "show", NAME, "--shelf", address).out
        done = job(shelf.main, "list", "--shelf", f"{address}/nothing")
        assert done.code == 2 and "404" in done.err and done.err.count("\n") == 1
        server.shutdown()


# -- verify -----------------------------------------------------------------------------------


def test_figures_are_as_recorded_or_by_so_much_not(mine, job):
    done = job(shelf.main, "verify", NAME, "--measure", "--shelf", mine)
    assert done.code == 0 and done.out.count("as recorded") == 3
    clean, pgd = index(mine)["networks"][NAME]["figures"]
    off = clean | {"accuracy": clean["accuracy"] - 0.02}
    far = pgd | {"accuracy": 1.0, "interval": [0.99, 1.0]}
    change(mine, figures=[off, far])
    done = job(shelf.main, "verify", NAME, "--measure", "--shelf", mine)
    assert done.code == 1 and "+2.0 points (1 of 50 images)" in done.out
    assert "outside the interval" in done.out
    change(mine, measured=index(mine)["networks"][NAME]["measured"] | {"data_digest": "0"})
    done = job(shelf.main, "verify", NAME, "--measure", "--shelf", mine)
    assert done.code == 2 and "those at hand are other ones" in done.err


def test_suites_of_an_evaluation_are_measured_again(stocked, finished):
    """An evaluation's rows give its steps back: parts attack what those before them left."""
    from slr_keras.evaluation.specs import Ball, Step, make_steps
    from slr_keras.shelves import measuring

    ball = Ball(eps=20 / 255)
    parts = [
        Step(f"autoattack: {step.name}", step.attack, "autoattack")
        for step in make_steps(["fgsm", "pgd-2"], ball)
    ]
    net = saving.load_model(finished / "best.keras")
    entry = Shelf(stocked).entry(NAME)
    x, y = measuring.images_of(entry, slr.shelves.config_of(entry))
    measured = suite.Measurement(net, x, y, [Step("clean"), *parts], batch_size=25)
    measured.run()
    figures = [json.loads(json.dumps(vars(row))) for row in suite.rows_of(measured)][:-1]
    foreign = figures[1] | {"attack": "transfer: fgsm", "settings": {"name": "fgsm", "source": "x"}}
    entry = slr.shelves._shelf.Entry(
        **vars(entry) | {"figures": [*figures, foreign], "measured": {"batch_size": 25}}
    )
    found = measuring.measure(entry, net, x, y)
    assert [one.says for one in found] == ["as recorded"] * 4 + ["not measured again"]
    assert [one.attack for one in found][3] == "autoattack" and found[3].now <= found[2].now


# -- names wherever a run may stand ------------------------------------------------------------


def test_commands_take_a_name(stocked, monkeypatch):
    monkeypatch.setenv("SLR_KERAS_SHELF", str(stocked))
    path = f"shelf:{NAME}"
    assert targets.newest(path) == "best"
    target = targets.find(path, "best", {"data": {"dir": "/data"}})
    assert target.file == network_file(stocked) and target.folder is None
    assert target.home == pathlib.Path() and target.config.model.width == 4
    assert (target.config.data.name, target.config.data.dir) == ("digits", "/data")
    with pytest.raises(UserError, match="the shelf has no final"):
        targets.model_file(path, "final")
    both = targets.networks_of([path, str(network_file(stocked))])
    assert isinstance(both, keras.Model) and both.name == "ensemble"
    assert targets.networks_of([path]).name != "ensemble"


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, says",
    [
        (("list", "--shelf", "nowhere"), "no such shelf: nowhere has no shelf.json"),
        (("list", "--shelf", "ftp://x/y"), "https, http or file"),
        (("list", "x"), "expected nothing after list"),
        (("verify",), "expected a name"),
        (("verify", "digits-srl", "--shelf", "{}"), "Did you mean 'digits-slr'"),
        (("verify", "../digits-slr", "--shelf", "{}"), "expected a name on a shelf"),
        (("verify", "digits-slr"), "It is empty"),
        (("add", "{}", "--name", "a/b"), "expected a name on a shelf"),
        (("add", "{}"), "expected --name"),
        (("add", "{}", "--name", "x"), "is no run folder"),
        (("lst",), "Did you mean 'list'"),
        (("show", "x", "--shelve", "y"), "unknown argument: --shelve"),
    ],
)
def test_a_line_and_exit_code_2(words, says, stocked, job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = job(shelf.main, *(word.replace("{}", str(stocked)) for word in words))
    assert done.code == 2 and done.err.count("\n") == 1 and says in done.err, done.err


def test_a_shelf_of_ones_own_begins_empty(job):
    done = job(shelf.main, "list")
    assert done.code == 0 and "is empty" in done.out


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../../secrets.keras"},
        {"file": "x.h5"},
        {"card": "/etc/passwd"},
        {"sha256": "0"},
        {"size": True},
        {"size": -1},
        {"which": "last"},
        {"figures": [{"attack": "clean"}]},
        {"input_shape": ["8", 8, 1]},
        {"versions": {"keras": 3}},
        {"settings": []},
    ],
    ids=str,
)
def test_a_damaged_index_is_refused(mine, changes):
    change(mine, **changes)
    with pytest.raises(UserError, match=r"shelf\.json is damaged .*digits-slr") as error:
        Shelf(mine).entries()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content, says",
    [
        ("{", "damaged"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "expected a table"),
        ('{"format": 1, "networks": {"a/b": {}}}', "'a/b' is no name"),
        ('{"format": 1, "networks": {"a": []}}', "a: expected a table"),
        ('{"format": 9, "networks": {}}', "another version of slr_keras"),
    ],
)
def test_what_is_no_index(content, says, tmp_path):
    (tmp_path / "shelf.json").write_text(content)
    with pytest.raises(UserError, match=says):
        Shelf(tmp_path).entries()
    assert _shelf.INDEX == "shelf.json"
