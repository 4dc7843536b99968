"""Parquet and Arrow files with the schema that Hugging Face's libraries write."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from slr_keras.data import DataSettings, content, load
from slr_keras.errors import DataError

pa = pytest.importorskip("pyarrow", exc_type=ImportError)  # made for another NumPy, perhaps
pq = pytest.importorskip("pyarrow.parquet", exc_type=ImportError)

NAMES = {"names": ["cat", "ant"], "_type": "ClassLabel"}


def picture(seed, shape=(4, 5, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def encoded(seed, shape=(4, 5, 3)):
    file = io.BytesIO()
    Image.fromarray(picture(seed, shape)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": f"{seed}.png"}


def table(seeds=range(20), told=True, **columns):
    """``{"img": struct<bytes, path>, "label": int64}`` and the words about them."""
    images = [encoded(seed) for seed in seeds]
    labels = pa.array([seed % 2 for seed in seeds], pa.int64())
    made = {"img": pa.array(images), "label": labels} | columns
    made = pa.table({name: column for name, column in made.items() if column is not None})
    features = {"img": {"_type": "Image"}, "label": NAMES} if told is True else told
    words = json.dumps({"info": {"features": features or {}}})
    return made.replace_schema_metadata({b"huggingface": words.encode()}) if told else made


def write(path, made=None, chunk=7):
    """As ``to_parquet`` and ``save_to_disk`` write, in several batches."""
    made = table() if made is None else made
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(made, path, row_group_size=chunk)
        return path
    kind = pa.ipc.new_file if path.stem == "feather" else pa.ipc.new_stream
    with pa.OSFile(str(path), "wb") as file, kind(file, made.schema) as writer:
        writer.write_table(made, max_chunksize=chunk)
    return path


def read(path, **changes):
    return load(DataSettings(name=str(path), **({"val_fraction": 0} | changes)), seed=0)


LAYOUTS = {
    "save_to_disk": ["train/data-00000-of-00002.arrow", "train/data-00001-of-00002.arrow",
                     "test/data-00000-of-00001.arrow", "validation/data-00000-of-00001.arrow"],
    "hub": ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
            "data/test-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet"],
    "config": ["plain_text/train_0.parquet", "plain_text/train_1.parquet",
               "plain_text/test.parquet", "plain_text/dev.parquet"],
    "cache": ["cifar-train-00000.arrow", "cifar-train-00001.arrow",
              "cifar-test.arrow", "cifar-validation.arrow"],
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stream", ["on", "off"])
def test_layouts(tmp_path, layout, stream):
    seeds = range(20), range(20, 31), range(40, 44), range(50, 53)
    for name, some in zip(LAYOUTS[layout], seeds, strict=True):
        write(tmp_path / name, table(some))
    (tmp_path / "train").mkdir(exist_ok=True)
    (tmp_path / "train" / "cache-1a2b.arrow").write_bytes(b"of an earlier map()")
    d = read(tmp_path, stream=stream)
    assert d.class_names == ("cat", "ant") and not d.notes
    for x, y, some in ((d.x_train, d.y_train, range(31)), (d.x_test, d.y_test, seeds[2]),
                       (d.x_val, d.y_val, seeds[3])):  # fmt: skip
        np.testing.assert_array_equal(np.asarray(x), [picture(seed) for seed in some])
        assert y.tolist() == [seed % 2 for seed in some]


@pytest.mark.parametrize("name", ["set.parquet", "set.arrow", "feather.arrow", "a-test.parquet"])
def test_one_file_is_training_and_test_is_held_out(tmp_path, name):
    d = read(write(tmp_path / name))
    assert [len(d.y_train), len(d.y_test)] == [18, 2] and "no test split" in d.notes[0]


def test_without_words_of_hugging_face(tmp_path):
    bytes_alone = pa.array([encoded(seed)["bytes"] for seed in range(20)])
    words = pa.array(["cat", "ant"] * 10)
    d = read(write(tmp_path / "a.parquet", table(told=False, img=bytes_alone, label=words)))
    assert d.class_names == ("ant", "cat")
    x, y = np.concatenate([d.x_train, d.x_test]), np.concatenate([d.y_train, d.y_test])
    where = {image.tobytes(): int(label) for image, label in zip(x, y, strict=True)}
    assert [where[picture(seed).tobytes()] for seed in range(20)] == [1, 0] * 10


def test_of_several_columns_of_labels_one_is_chosen(tmp_path):
    fine, coarse = (pa.array([seed % k for seed in range(20)]) for k in (4, 2))
    told = {"img": {"_type": "Image"}} | {n: {"_type": "ClassLabel"} for n in ("fine_label", "co")}
    made = table(told=told, label=None, fine_label=fine, co=coarse)
    path = write(tmp_path / "cifar.parquet", made)
    assert read(path).num_classes == 4
    assert read(path, label_column="co").num_classes == 2


def test_other_pixels_are_another_set(tmp_path):
    x = read(write(tmp_path / "a.arrow"), stream="on").x_train
    images = [encoded(seed + 10) for seed in range(20)]
    y = read(write(tmp_path / "b.arrow", table(img=pa.array(images))), stream="on").x_train
    again = read(write(tmp_path / "c.parquet"), stream="on").x_train
    assert content(x) != content(y) and content(x) == content(again)


def of(**columns):
    return lambda folder: write(folder / "set.parquet", table(told=False, **columns))


def torn(name):
    def act(folder):
        path = write(folder / name)
        path.write_bytes(path.read_bytes()[:-300])
        return path

    return act


def written(*names):
    def act(folder):
        for name in names:
            write(folder / name)
        return folder

    return act


LINKS = pa.array([{"bytes": None, "path": "/etc/passwd"}] * 20, table(told=False)["img"].type)
SIZES = pa.array([encoded(seed, (4 + seed // 19, 5, 3)) for seed in range(20)])


@pytest.mark.parametrize(
    "act, message",
    [
        (of(img=None), "expected one column of images, received none of label"),
        (of(other=pa.array([b""] * 20)), "expected one column of images, received img, other of"),
        (of(label=None), "expected one column of labels, received none of img"),
        (of(label=None, x=LINKS.field(1), y=LINKS.field(1)), "received x, y of .*label_column"),
        (of(label=pa.array([0] * 19 + [None])), "expected a label for each image, received 1 "),
        (of(label=pa.array([-1] * 20)), "labels"),
        (of(img=LINKS), "set.parquet, image 0: expected the bytes of an image, received none"),
        (of(img=SIZES), r"image 19: expected 5x4 pixels as in .*image 0, received 5x5; resize"),
        (torn("set.parquet"), "set.parquet: expected a Parquet file, received one that cannot"),
        (torn("set.arrow"), "set.arrow: expected an Arrow file, received one that cannot"),
        (written("test.parquet", "val.parquet"), "expected files for train, received test, val"),
        (written("one/train.arrow", "two/train.arrow"), "received folders of several: one, two;"),
    ],
)
def test_refusals(tmp_path, act, message):
    with pytest.raises(DataError, match=message) as error:
        read(act(tmp_path))
    assert "\n" not in str(error.value)


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="no column 'lable'. Did you mean 'label'"):
        read(write(tmp_path / "a.parquet"), label_column="lable")


def test_flipped_bytes_end_in_one_line_or_in_other_images(tmp_path):
    """Never in a traceback, nor in the end of the process: what is mapped is validated."""
    random = np.random.default_rng(0)
    for name in ("a.parquet", "a.arrow"):
        good = write(tmp_path / name).read_bytes()
        for _ in range(60):
            bad = bytearray(good)
            bad[int(random.integers(len(bad)))] ^= 1 << int(random.integers(8))
            (tmp_path / name).write_bytes(bad)
            try:
                read(tmp_path / name)
            except DataError as error:
                assert "\n" not in str(error)
