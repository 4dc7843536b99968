"""The model card of an export: what it is, what it was measured at, and where that ends.

Markdown with the head that Hugging Face's hub reads (https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import json
from typing import Any

from slr_keras import __version__
from slr_keras.analysis import beyond, words
from slr_keras.analysis.record import Record
from slr_keras.evaluation.intervals import wilson
from slr_keras.evaluation.specs import CLEAN, is_part

PAPER = "https://arxiv.org/abs/2403.09101"
PLACES = ("run_dir", "overwrite", "dir")


def render(record: Record, which: str) -> str:
    """The card of a run's ``best`` or ``final`` model."""
    rows = _rows(record, which)
    parts = [
        _head(record, rows),
        f"# {record.title}, {which} epoch\n",
        words.summary(record) + "\n",
        _use(record),
        _table(rows),
        _beyond(record, which),
        _limits(record, rows),
        f"## Settings\n\n```toml\n{_settings(record)}\n```\n",
    ]
    return "\n".join(part for part in parts if part)


def _rows(record: Record, which: str) -> list[dict[str, Any]]:
    """Attack, accuracy, interval, images: of this model's evaluation, else of the run's end."""
    found = record.evaluation
    if found and found.get("which") == which and found["results"]:
        whole = [row for row in found["results"] if not is_part(row["attack"])]
        return [{**row, "samples": row.get("samples") or found["samples"]} for row in whole]
    summary = record.summary or {}
    if which not in summary:
        return []
    count, figures = summary["test_samples"], summary[which]
    named = {CLEAN: figures["accuracy"], summary.get("attack", "PGD"): figures["robust_accuracy"]}
    return [
        {
            "attack": name,
            "accuracy": share,
            "interval": wilson(share * count, count),
            "samples": count,
        }
        for name, share in named.items()
    ]


def _settings(record: Record) -> str:
    """Without the places on the machine that trained it."""
    lines = record.toml.strip().splitlines()
    return "\n".join(line for line in lines if line.partition(" = ")[0] not in PLACES)


def _head(record: Record, rows: list[dict[str, Any]]) -> str:
    """YAML, whose strings are JSON's."""
    run, data = record.config, json.dumps(record.config.data.name)
    tags = ["image-classification", "adversarial-robustness", run.method.name, run.attack.norm]
    lines = ["---", "library_name: keras", "pipeline_tag: image-classification"]
    lines += ["tags:", *(f"- {json.dumps(tag)}" for tag in tags)]
    lines += ["datasets:", f"- {data}", "metrics:", "- accuracy"]
    if rows:
        lines += ["model-index:", f"- name: {json.dumps(record.title)}", "  results:"]
    for row in rows:
        lines += [
            "  - task: {type: image-classification}",
            f"    dataset: {{name: {data}, type: {data}}}",
            "    metrics:",
            f"    - {{type: accuracy, name: {json.dumps('accuracy, ' + row['attack'])}, "
            f"value: {row['accuracy']:.4f}}}",
        ]
    return "\n".join([*lines, "---", ""])


def _use(record: Record) -> str:
    return (
        "It takes images as floats in [0, 1], (batch, height, width, channels), and gives logits. "
        f"Trained with slr_keras {__version__}; SLR is Self-Guided Label Refinement ({PAPER}).\n"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "## Accuracy\n\nIt has not been tested.\n"
    lines = ["## Accuracy", "", "| attack | accuracy | 95 % interval | test images |"]
    lines.append("| --- | --- | --- | --- |")
    lines += [
        f"| {row['attack']} | {words.percent(row['accuracy'])} | "
        f"{words.interval(row.get('interval'))} | {row['samples']:,} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])


def _beyond(record: Record, which: str) -> str:
    """Distances, natural changes and certificates of this model's evaluation."""
    found = record.evaluation
    said = beyond.sentences(found) if found and found.get("which") == which else []
    return "\n".join(["## Beyond this ball", "", *(f"- {one}" for one in said), ""]) if said else ""


def _limits(record: Record, rows: list[dict[str, Any]]) -> str:
    strong = any("autoattack" in row["attack"] for row in rows)
    weak = (
        "No AutoAttack was run on it: stronger attacks may find more."
        if not strong
        else "AutoAttack was run; a stronger attack may be found one day."
    )
    return (
        "## Limits\n\n"
        f"Robust accuracy is that within {words.ball(record)} of images of "
        f"{record.config.data.name} alone. It says nothing of larger or other perturbations, of "
        f"other data, and is no certificate. {weak}\n"
    )
