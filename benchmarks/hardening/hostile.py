"""Files that want to do harm: refused in a line, nothing executed, nothing written elsewhere."""

from __future__ import annotations

import io
import json
import pathlib
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.hardening import _runs
from benchmarks.hardening._jobs import Done, run

MEMORY = 3000.0  # MiB that a command may take to refuse; TensorFlow's own share is above a third
CANARY = "canary"


def tries(count: int, seed: int, folder: pathlib.Path) -> Iterator[tuple[str, str]]:
    """``(which file, complaint)`` for each of them, whatever ``count`` says."""
    whole = _runs.peace(folder)
    for name, attempt in ATTEMPTS.items():
        place = folder / "hostile" / name.replace(" ", "-").replace("/", "")
        place.mkdir(parents=True)
        outside = folder / "hostile" / "outside"
        outside.mkdir(exist_ok=True)
        (outside / "mine.txt").write_text("mine")
        done = attempt(place, whole)
        yield name, _complaint(done, place, outside)


def _complaint(done: Done, place: pathlib.Path, outside: pathlib.Path) -> str:
    if wrong := done.complaint():
        return wrong
    if list(place.parent.rglob(CANARY)):
        return "something was executed, or written where it should not"
    if sorted(p.name for p in outside.iterdir()) != ["mine.txt"]:
        return f"the folder outside has {sorted(p.name for p in outside.iterdir())}"
    if done.memory > MEMORY:
        return f"{done.memory:.0f} MiB of memory"
    return ""


def _evaluated(path: pathlib.Path, place: pathlib.Path) -> Done:
    words = [path, "--attacks", "clean", "--num-samples", "20", "--data.name", "digits"]
    return run("evaluate", [*words, "--out", place / "e.json"], place / "log")


def _trained(data: pathlib.Path, place: pathlib.Path, *more: object) -> Done:
    words = ["--data.name", data, "--run-dir", place / "run", "--train.epochs", "1", *more]
    return run("train", [*words, "--progress", "quiet"], place / "log")


# -- .keras -----------------------------------------------------------------------------------


def _lambda(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """A Lambda layer whose Python code writes a file."""
    import subprocess
    import sys

    path, canary = place / "evil.keras", place / CANARY
    code = (
        "import keras\n"
        f"def f(x):\n    open({str(canary)!r}, 'w').write('x')\n    return x\n"
        "net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),"
        " keras.layers.Lambda(f), keras.layers.Dense(10)])\n"
        f"net.save({str(path)!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    canary.unlink(missing_ok=True)
    return _evaluated(path, place)


def _function(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """A configuration that names ``os.system`` as a layer's class."""

    def change(config: dict[str, object]) -> None:
        config.update(
            module="os", class_name="system", config=f"touch {place / CANARY}", registered_name=None
        )

    return _evaluated(_changed(whole / "best.keras", place / "evil.keras", change), place)


def _changed(
    source: pathlib.Path, path: pathlib.Path, change: Callable[[dict[str, object]], None]
) -> pathlib.Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
    return path


def _zip_path(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """A member of the zip that would lie two folders above."""
    path = place / "evil.keras"
    shutil.copy(whole / "best.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"../../{CANARY}", "x")
        archive.writestr(f"../outside/{CANARY}", "x")
    return _evaluated(path, place)


# -- data -------------------------------------------------------------------------------------


class _Evil:
    def __init__(self, canary: str):
        self.canary = canary

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.canary, "w")


def _pickle(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """An array of Python objects, which run code when they are unpickled."""
    path = place / "evil.npz"
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }"
    header = header.ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    array += pickle.dumps([_Evil(str(place / CANARY))] * 2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", array)
        archive.writestr("y_train.npy", array)
    return _trained(path, place)


def _bomb(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """64 MB that become 60 GB of zeros."""
    path, count = place / "bomb.npz", 20_000_000
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (count, 32, 32, 3)}
    )
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x_train.npy", "w", force_zip64=True) as entry,
    ):
        entry.write(file.getvalue())
        block = bytes(2**24)
        for _ in range(count * 3072 // 2**24):
            entry.write(block)
    labels = io.BytesIO()
    np.save(labels, np.zeros(count, "uint8"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("y_train.npy", labels.getvalue())
    return _trained(path, place)


def _png(path: pathlib.Path, width: int, height: int) -> None:
    """A PNG of black pixels, of a few hundred kilobytes whatever its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    squeeze, rows = zlib.compressobj(9), []
    row = bytes(1 + width // 8)
    for _ in range(height):
        rows.append(squeeze.compress(row))
    data = b"".join(rows) + squeeze.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png)


def _png_bomb(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """Images of 2.5 gigapixels in an image folder."""
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        _png(place / "set" / name, 50_000, 50_000)
    return _trained(place / "set", place, "--data.image_size", "16")


def _png_attacked(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """The same, given to ``attack``."""
    _png(place / "1.png", 50_000, 50_000)
    return run("attack", [whole, place / "1.png", "--out", place / "o.png"], place / "log")


# -- text -------------------------------------------------------------------------------------


def _deep_toml(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """A value of a hundred thousand brackets."""
    (place / "deep.toml").write_text(f"seed = {'[' * 100_000}{']' * 100_000}\n")
    return run("train", [place / "deep.toml", "--run-dir", place / "run"], place / "log")


def _deep_json(name: str) -> Callable[[pathlib.Path, pathlib.Path], Done]:
    def attempt(place: pathlib.Path, whole: pathlib.Path) -> Done:
        shutil.copytree(whole, place / "run")
        deep = "[" * 200_000 + "]" * 200_000
        with (place / "run" / name).open("a" if name == "events.jsonl" else "w") as file:
            file.write(f"{deep}\n")
        return run("report", [place / "run", "--out", place / "r.html"], place / "log")

    return attempt


def _long_line(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """A line of 300 MB among the events."""
    shutil.copytree(whole, place / "run")
    with (place / "run" / "events.jsonl").open("a") as file:
        for _ in range(300):
            file.write("x" * 2**20)
    return run("report", [place / "run", "--out", place / "r.html"], place / "log")


def _html(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """HTML in the name of a run folder."""
    run_folder = place / "<script>alert(1)<&script>"
    shutil.copytree(whole, run_folder)
    done = run("report", [run_folder, "--out", place / "r.html"], place / "log")
    if "<script>alert(1)" in (place / "r.html").read_text():
        return Done(70, "error: the page holds the script")
    return done


def _study_name(place: pathlib.Path, whole: pathlib.Path) -> Done:
    """A study that is called by a path out of the runs folder."""
    text = f'name = "../../outside/{CANARY}"\nquestion = "?"\n[[arm]]\nname = "../../{CANARY}"\n'
    (place / "s.toml").write_text(text)
    return run("study", [place / "s.toml", "--out", place / "study", "--dry-run"], place / "log")


def _links(name: str) -> Callable[[pathlib.Path, pathlib.Path], Done]:
    def attempt(place: pathlib.Path, whole: pathlib.Path) -> Done:
        """A run folder one of whose folders is a link to somebody else's; it is trained anew."""
        run_folder, outside = place / "run", place.parent / "outside"
        shutil.copytree(whole, run_folder)
        shutil.rmtree(run_folder / name, ignore_errors=True)
        (run_folder / name).symlink_to(outside, target_is_directory=True)
        words = [*_runs.FLAGS, "--run-dir", run_folder, "--overwrite"]
        return run("train", words, place / "log")

    return attempt


ATTEMPTS: dict[str, Callable[[pathlib.Path, pathlib.Path], Done]] = {
    ".keras with a Lambda": _lambda,
    ".keras that names os.system": _function,
    ".keras with ../ in its zip": _zip_path,
    ".npz with pickles": _pickle,
    ".npz bomb of 60 GB": _bomb,
    "PNG bombs in a folder": _png_bomb,
    "PNG bomb to attack": _png_attacked,
    "TOML of great depth": _deep_toml,
    "summary.json of great depth": _deep_json("summary.json"),
    "evaluation.json of great depth": _deep_json("evaluation.json"),
    "events.jsonl of great depth": _deep_json("events.jsonl"),
    "a line of 300 MB in events.jsonl": _long_line,
    "HTML in a run's name": _html,
    "study called by a path": _study_name,
    "checkpoints/ is a link": _links("checkpoints"),
    "analysis/ is a link": _links("analysis"),
    "tensorboard/ is a link": _links("tensorboard"),
}
