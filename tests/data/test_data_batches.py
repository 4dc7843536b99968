import gc
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slr_keras.augmentations._crop import draws
from slr_keras.data import Batches, as_float, crop_flip
from slr_keras.data._prefetch import Prefetched
from slr_keras.hashing import bits, shuffled


def images(n, shape=(8, 6, 2), dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (n, *shape))
    return values.astype(np.uint8) if dtype == np.uint8 else (values / 255).astype(dtype)


def threads():
    return [t for t in threading.enumerate() if t.name == "slr-batches" and t.ident]


def until_there_are(count):
    """Threads that are told to end do so a moment later."""
    limit = time.monotonic() + 30
    while len(threads()) != count:
        assert time.monotonic() < limit, threads()
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def no_thread_of_another_test():
    if threads():
        gc.collect()
    until_there_are(0)


def same(a, b):
    return all(
        np.array_equal(p, q)
        for p, q in ((a[0]["image"], b[0]["image"]), (a[0]["index"], b[0]["index"]), (a[1], b[1]))
    )


def reference_crop(image, row, column, flip):
    """One image, pixel by pixel, without padding: outside is black."""
    height, width, _ = image.shape
    out = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            y, x = i + row - 4, (width - 1 - j if flip else j) + column - 4
            if 0 <= y < height and 0 <= x < width:
                out[i, j] = image[y, x]
    return out


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 9, 3), (1, 2, 4)])
def test_crop_flip_equals_a_loop_over_pixels(shape, dtype):
    x, index = images(30, shape, dtype), np.arange(100, 130)
    result = crop_flip(x, 3, 2, index)
    wanted = [reference_crop(*item) for item in zip(x, *draws(3, 2, index).T, strict=True)]
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, np.stack(wanted))


def test_augmentation_does_not_depend_on_the_place_in_the_batch():
    x, index = images(50), np.arange(50)
    whole = crop_flip(x, 0, 1, index)
    order = np.random.default_rng(1).permutation(50)
    np.testing.assert_array_equal(crop_flip(x[order], 0, 1, index[order]), whole[order])
    np.testing.assert_array_equal(crop_flip(x[7:8], 0, 1, index[7:8]), whole[7:8])


def test_augmentation_is_new_in_every_epoch_and_for_every_seed():
    index = np.arange(1000, dtype=np.int32)
    words = [draws(s, e, index) for s, e in ((0, 1), (0, 2), (1, 1), (1, 0))]
    for i, a in enumerate(words):
        for b in words[:i]:
            assert 0.0 < np.mean((a == b).all(1)) < 0.02  # by chance 1 / 162


def test_offsets_and_flips_are_uniform_and_independent():
    scipy_stats = pytest.importorskip("scipy.stats")
    rows, columns, flip = draws(0, 1, np.arange(81000)).T
    assert rows.min() == columns.min() == 0 and rows.max() == columns.max() == 8
    cells = np.bincount((rows * 9 + columns) * 2 + flip, minlength=162)
    assert scipy_stats.chisquare(cells).pvalue > 1e-3


def test_hash_bits_are_fair_and_the_same_for_every_integer_type():
    words = bits(5, "x", np.arange(20000))
    ones = np.unpackbits(words.view(np.uint8)).reshape(-1, 64).mean(0)
    assert np.abs(ones - 0.5).max() < 0.02
    for dtype in (np.int32, np.int64, np.uint8):
        assert (bits(5, "x", np.arange(100).astype(dtype)) == words[:100]).all()
    assert bits(-1, "x", 2) == bits(2**64 - 1, "x", 2)
    assert bits(0, "x", 1, 2) != bits(0, "x", 2, 1)
    assert bits(0, "x", 1) != bits(0, "y", 1)


def test_hash_never_changes():
    """A run begun with an older version must resume to the same end."""
    assert bits(0, "order", 1, np.arange(2)).tolist() == [4331831815813439554, 15599987327146871424]
    assert shuffled(8, 7, "order", 3).tolist() == [3, 1, 4, 6, 0, 2, 7, 5]


@given(st.integers(1, 40), st.integers(1, 45), st.integers(-(2**63), 2**63), st.integers(1, 500))
@settings(max_examples=60, deadline=None)
def test_every_epoch_shows_each_sample_once(n, size, seed, epoch):
    labels = np.arange(n) * 2
    batches = Batches(images(n), labels, size, seed)
    made = [batches.batch(epoch, b) for b in range(batches.steps_per_epoch)]
    index = np.concatenate([inputs["index"] for inputs, _ in made])
    assert sorted(index) == list(range(n))
    assert [len(y) for _, y in made[:-1]] == [size] * (len(made) - 1)
    np.testing.assert_array_equal(index, batches.order(epoch))
    np.testing.assert_array_equal(np.concatenate([y for _, y in made]), labels[index])


def test_batch_types_and_contents():
    x = images(10)
    inputs, labels = Batches(x, np.arange(10), 4, 0).batch(1, 0)
    assert inputs["image"].dtype == np.float32 and inputs["image"].shape == (4, 8, 6, 2)
    assert inputs["index"].dtype == labels.dtype == np.int32
    exact = x[inputs["index"]].astype(np.float64) / 255
    np.testing.assert_array_equal(inputs["image"], exact.astype(np.float32))


def test_every_byte_becomes_the_nearest_float():
    levels = np.arange(256, dtype=np.uint8)
    values = as_float(levels)
    np.testing.assert_array_equal(values, np.array([k / 255 for k in range(256)], np.float32))
    assert values.max() == 1.0 and values.min() == 0.0
    assert as_float(values) is values


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_batches_leave_the_data_alone(dtype):
    x = images(9, dtype=dtype)
    before = x.copy()
    for augment in ("none", "crop-flip"):
        inputs, labels = Batches(x, np.arange(9), 9, 0, augment).batch(1, 0)
        inputs["image"][:], inputs["index"][:], labels[:] = 0, 0, 0
        again, _ = Batches(x, np.arange(9), 9, 0, augment).batch(1, 0)
        assert again["image"].any()
    np.testing.assert_array_equal(x, before)


def test_order_is_a_function_of_seed_and_epoch():
    x, y = images(100), np.zeros(100)
    a, b = Batches(x, y, 7, 0), Batches(x, y, 31, 0, augment="crop-flip")
    later = a.order(5).copy()
    for epoch in (3, 1, 5):
        np.testing.assert_array_equal(a.order(epoch), b.order(epoch))
    np.testing.assert_array_equal(a.order(5), later)
    assert (a.order(1) != a.order(2)).any()
    assert (a.order(1) != Batches(x, y, 7, 1).order(1)).any()
    plain = Batches(x, y, 7, 0, shuffle=False)
    assert plain.order(1).tolist() == plain.order(9).tolist() == list(range(100))


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
@pytest.mark.parametrize("epoch, b", [(1, 0), (1, 3), (2, 0), (2, 1), (1, 4), (3, 2)])
def test_stream_from_a_position_is_the_tail_of_the_whole(epoch, b, augment):
    batches = Batches(images(14), np.arange(14), 4, 2, augment)
    assert batches.steps_per_epoch == 4
    whole, tail = batches.stream(), Batches(batches.x, batches.y, 4, 2, augment).stream(epoch, b)
    for _ in range((epoch - 1) * 4 + b):
        next(whole)
    assert all(same(next(whole), next(tail)) for _ in range(6))


def test_stream_works_ahead_but_not_without_bound():
    made = []
    stream = Prefetched((made.append(k) or k for k in range(1000)), 4)
    assert next(stream) == 0
    deadline = time.monotonic() + 5
    while len(made) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert len(made) == 6  # one taken, four waiting, one in hand
    stream.close()


@pytest.mark.parametrize("end", ["close", "drop", "unstarted", "feeding"])
def test_thread_ends_with_the_stream(end):
    batches = Batches(images(14), np.arange(14), 4, 0)
    with batches.feeding():
        stream = batches.stream()
        if end != "unstarted":
            next(stream)
            assert len(threads()) == 1
        if end == "close":
            stream.close()
        elif end != "feeding":
            del stream
            gc.collect()
        until_there_are(1 if end == "feeding" else 0)
    assert not threads()


def test_closing_waits_for_the_thread_and_wakes_who_waits_for_a_batch():
    go_on = threading.Event()
    stream = Prefetched((go_on.wait() for _ in range(9)), 4)
    got = []
    waiting = threading.Thread(target=lambda: got.extend(stream), daemon=True)
    waiting.start()
    until_there_are(1)
    threading.Timer(0.2, go_on.set).start()
    stream.close()
    assert not threads()
    waiting.join(30)
    assert not waiting.is_alive() and len(got) <= 1
    assert list(stream) == [], "a closed one is over"


def test_errors_in_the_thread_reach_the_consumer():
    def broken():
        yield 1
        raise OSError("disk gone")

    stream = Prefetched(broken(), 4)
    assert next(stream) == 1
    with pytest.raises(OSError, match="disk gone"):
        next(stream)
    assert list(Prefetched(iter(range(9)), 2)) == list(range(9))
    assert list(Prefetched(iter(()), 2)) == []
    assert not threads()


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda x: Batches(x, np.zeros(3), 2, 0), "as many labels as images"),
        (lambda x: Batches(x[:0], np.zeros(0), 2, 0), "one or more, received 0"),
        (lambda x: Batches(x, np.zeros(4), 0, 0), "batch_size: expected 1 or more, received 0"),
        (lambda x: Batches(x, np.zeros(4), 2, 0, "mixup"), "received 'mixup'"),
        (lambda x: Batches(x, np.zeros(4), 2, 0).batch(1, 2), r"expected 0..1, received 2"),
        (lambda x: Batches(x, np.zeros(4), 2, 0).batch(0, 0), "epoch: expected 1 or more"),
        (lambda x: Batches(x, np.zeros(4), 2, 0).stream(0), "received 0 and 0"),
        (lambda x: Batches(x, np.zeros(4), 2, 0).stream(1, 3), "batch in 0..2, received 1 and 3"),
    ],
)
def test_refusals(act, message):
    with pytest.raises(ValueError, match=message):
        act(images(4))


def test_batches_are_cheap():
    """Ten times the measured cost: catches a loop over images, not a busy machine."""
    x = images(5000, (32, 32, 3))
    batches = Batches(x, np.zeros(5000), 128, 0, "crop-flip")
    batches.order(1)
    times = []
    for b in range(batches.steps_per_epoch):
        start = time.perf_counter()
        batches.batch(1, b)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.015
