"""Files in parts and back; small data sets: nothing is lost, and damage is noticed."""

import json

import numpy as np
import pytest

from benchmarks.gpu import images, parts


@pytest.fixture
def folder(tmp_path, rng):
    sizes = {"a": 0, "b.bin": 5, "deep/er/c": 2500, "d": 1000}
    for name, size in sizes.items():
        path = tmp_path / "from" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.bytes(size))
    return tmp_path / "from"


def contents(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("limit", [500, 999, 1000, 3505, 4000])
def test_round_trip(folder, tmp_path, limit):
    listing = parts.cut(folder, tmp_path / "out", "set", limit)
    sizes = [path.stat().st_size for path in (tmp_path / "out").glob("set.[0-9]*")]
    assert max(sizes) <= limit and len(sizes) == -(-3505 // limit) == len(listing.parts)
    parts.join(tmp_path / "out", tmp_path / "to", "set")
    assert contents(tmp_path / "to") == contents(folder)


def test_a_second_cut_takes_the_place_of_the_first(folder, tmp_path):
    out = tmp_path / "out"
    parts.cut(folder, out, "set", 100)
    (out / "set.toml").write_text("not ours")
    parts.cut(folder, out, "set", 3000)
    assert sorted(contents(out)) == ["set.000", "set.001", "set.json", "set.toml"]


def test_what_the_other_side_has_does_not_travel(folder, tmp_path):
    out, there = tmp_path / "out", tmp_path / "to"
    first = parts.cut(folder, out, "set", 1000)
    parts.join(out, there, "set")
    (folder / "d").write_bytes(b"new")
    second = parts.cut(folder, out, "set", 1000, known=first.files)
    assert second.moved == ("d",) and [part.size for part in second.parts] == [3]
    parts.join(out, there, "set")
    assert contents(there) == contents(folder)
    (there / "b.bin").write_bytes(b"other")
    with pytest.raises(parts.UserError, match="b.bin is damaged.*did not travel"):
        parts.join(out, there, "set")


def spoil(path):
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    "harm, said",
    [
        (lambda out: spoil(out / "set.001"), "set.001 is damaged: expected 1000 bytes"),
        (lambda out: (out / "set.002").write_bytes(b""), "set.002 is damaged"),
        (lambda out: (out / "set.003").unlink(), "set.003 is missing: bring it again"),
        (lambda out: (out / "set.json").unlink(), "no list of parts"),
        (lambda out: (out / "set.json").write_text("{}"), "is no list of parts"),
    ],
)
def test_damage_is_one_line_and_touches_nothing(folder, tmp_path, job, harm, said):
    out = tmp_path / "out"
    assert job(parts.main, "cut", folder, out, "--name", "set").code == 0
    parts.cut(folder, out, "set", 1000)
    harm(out)
    done = job(parts.main, "join", out, tmp_path / "to", "--name", "set")
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err
    assert not (tmp_path / "to").exists()


def test_a_list_cannot_write_outside_its_folder(folder, tmp_path):
    out = tmp_path / "out"
    parts.cut(folder, out, "set", 1000)
    raw = json.loads((out / "set.json").read_text())
    raw["files"][0]["name"] = "../escaped"
    (out / "set.json").write_text(json.dumps(raw))
    with pytest.raises(parts.UserError, match="outside its folder"):
        parts.join(out, tmp_path / "to", "set")


@pytest.mark.parametrize(
    "words, said",
    [
        (["cut", "absent", "out"], "no such folder: absent"),
        (["cut", ".", "out", "--mib", "0"], "--mib: expected 1 or more"),
        (["glue", "."], "invalid choice"),
    ],
)
def test_bad_input(job, words, said):
    done = job(parts.main, *words)
    assert done.code == 2 and done.err.count("\n") == 1 and said in done.err


@pytest.mark.parametrize("shape", [(7, 5, 6, 3), (3, 8, 8, 1), (2, 1, 1, 3)])
def test_packed_images_are_the_same_images(rng, shape):
    x = rng.integers(0, 256, shape, "uint8")
    x[0] = 255
    np.testing.assert_array_equal(images.unpack(images.pack(x), shape), x)


def test_smooth_images_get_smaller():
    ramp = np.add.outer(np.arange(32), np.arange(32)).astype("uint8")
    x = np.broadcast_to(ramp[None, ..., None], (50, 32, 32, 3))
    assert len(images.pack(x)) < x.size / 5


def test_a_packed_data_set(tmp_path, job, rng):
    from slr_keras.data import DataSettings
    from slr_keras.data.npz import Npz

    arrays = {"x_train": rng.integers(0, 256, (9, 4, 4, 3), "uint8"), "y_train": np.arange(9)}
    np.savez(tmp_path / "small.npz", **arrays, class_names=np.array(list("abcdefghi")))
    packed, back = tmp_path / "small.packed", tmp_path / "back.npz"
    assert job(images.main, "prepare", tmp_path / "small.npz", packed).code == 0
    assert job(images.main, "unpack", packed, back).code == 0
    splits = Npz.load(DataSettings(name=str(back)))
    np.testing.assert_array_equal(splits.x_train, arrays["x_train"])
    np.testing.assert_array_equal(splits.y_train, arrays["y_train"])
    assert splits.class_names == tuple("abcdefghi")
    assert job(images.main, "prepare", back, packed, "--train", 4).code == 0
    assert [len(images.read(packed)[name]) for name in arrays] == [4, 4]
    packed.write_bytes(b"PK")
    done = job(images.main, "unpack", packed, back)
    assert done.code == 2 and done.err.count("\n") == 1
