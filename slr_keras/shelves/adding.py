"""A run's network onto a shelf, with what the run's own files say of it."""

from __future__ import annotations

import datetime
import hashlib
import pathlib
import shutil
from typing import Any

from slr_keras import networks, saving, texts
from slr_keras.analysis import card
from slr_keras.analysis.record import Record
from slr_keras.errors import RunError, UserError
from slr_keras.evaluation import suite
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.specs import CLEAN, WORST
from slr_keras.run_folder import replacing, write_atomically
from slr_keras.shelves import _index
from slr_keras.shelves._index import Entry
from slr_keras.shelves._shelf import INDEX, Shelf, sha256

SHORT = 8  # digits of its SHA-256 in a file's name: what was fetched once is never out of date
KEPT = ("split", "samples", "seed", "batch_size", "data_digest", "model_digest", "device", "time")
COLUMNS = ("attack", "settings", "accuracy", "interval", "samples")


def add(
    shelf: Shelf,
    name: str,
    record: Record,
    file: pathlib.Path,
    *,
    licensed: str = "",
    replace: bool = False,
) -> Entry:
    """Copy the network of a run, write its card, and put both into the index.

    The index is written last: whatever happens, it tells of whole files.

    Args:
        shelf: a folder; it is made if there is none.
        name: the network's there.
        record: of the run.
        file: ``best.keras`` or ``final.keras`` of the run.
        licensed: the licence, as ``"Apache-2.0"``.
        replace: whether the name may be there already.

    Raises:
        UserError: the name is taken or none, the run has no figures of this network, or the
            shelf cannot be written.
        ModelError: the file is no Keras classifier with logits.
    """
    shelf.check_room(name, replace)
    net = saving.load_model(file)
    text = card.render(record, file.stem).encode()
    entry = _entry(name, record, file, net, text, licensed)
    try:
        shelf.folder.mkdir(parents=True, exist_ok=True)
        known = shelf.entries() if (shelf.folder / INDEX).exists() else {}
        with open(file, "rb") as source, replacing(shelf.folder / entry.file) as copy:
            shutil.copyfileobj(source, copy)
        write_atomically(shelf.folder / entry.card, text)
        write_atomically(shelf.folder / INDEX, _index.written(known | {name: entry}))
        _forget(shelf, known.get(name), entry)
    except OSError as error:
        raise UserError(
            f"cannot write the shelf {shelf.place}: {error.strerror}. Name another with --shelf"
        ) from None
    return entry


def _forget(shelf: Shelf, old: Entry | None, new: Entry) -> None:
    """Remove the files of an entry that was replaced."""
    for name in {old.file, old.card} - {new.file, new.card} if old else ():
        (shelf.folder / name).unlink(missing_ok=True)


def _entry(
    name: str, record: Record, file: pathlib.Path, net: Any, text: bytes, licensed: str
) -> Entry:
    figures, measured = _figures(record, file.stem, suite.network_digest(net))
    run, digest = record.config, sha256(file)
    return Entry(
        name=name,
        file=f"{name}-{digest[:SHORT]}.keras",
        card=f"{name}-{hashlib.sha256(text).hexdigest()[:SHORT]}.md",
        size=file.stat().st_size,
        sha256=digest,
        which=file.stem,
        epoch=_epoch(record, file.stem),
        data=run.data.name,
        method=run.method.name,
        model=run.model.name,
        input_shape=tuple(networks.input_shape(net)[1:]),
        classes=networks.num_classes(net),
        seed=run.seed,
        settings=_settings(record),
        figures=figures,
        measured=measured,
        versions=dict(record.started.versions) if record.started else {},
        license=licensed,
        date=datetime.date.today().isoformat(),
    )


def _epoch(record: Record, which: str) -> int:
    known = (record.summary or {}).get(which) or record.evaluation or {}
    return int(known.get("epoch") or record.epochs[-1].epoch)


def _settings(record: Record) -> dict[str, Any]:
    """Without the places on the machine that trained it."""
    table = texts.from_toml(record.toml)
    for section in (table, table.get("data", {})):
        for place in card.PLACES:
            section.pop(place, None)
    return table


def _figures(
    record: Record, which: str, digest: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of attacks, and what they rest on: an evaluation of this network, else the run's end.

    Raises:
        RunError: there are none, or they are of another network.
    """
    found, summary = record.evaluation, record.summary or {}
    if found and found["results"] and found.get("which") == which:
        if found.get("model_digest") != digest:
            raise RunError(
                f"{record.folder['evaluation.json']} is of another network than {which}.keras: "
                "evaluate it anew"
            )
        samples = found.get("samples")
        rows = [{"samples": samples, **row} for row in found["results"] if row["attack"] != WORST]
        kept = {key: found[key] for key in KEPT if key in found}
        return [{key: row[key] for key in COLUMNS} for row in rows], {
            "from": "evaluation.json",
            **kept,
        }
    if which not in summary:
        raise RunError(
            f"{record.folder.path} has no figures of its {which} network: "
            f"python -m slr_keras.evaluate {record.folder.path} measures them"
        )
    return _of_summary(record, summary, which)


def _of_summary(
    record: Record, summary: dict[str, Any], which: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    count = summary["test_samples"]
    settings = {"name": "pgd", **summary.get("attack_settings", {})}
    rows = [(CLEAN, {}, "accuracy"), (summary["attack"], settings, "robust_accuracy")]
    figures = [
        {
            "attack": attack,
            "settings": values,
            "accuracy": summary[which][key],
            "interval": list(wilson(summary[which][key] * count, count)),
            "samples": count,
        }
        for attack, values, key in rows
    ]
    measured = {
        "from": "summary.json",
        "split": "test",
        "samples": count,
        "seed": 0,
        "batch_size": record.config.eval.batch_size,
    }
    return figures, measured
