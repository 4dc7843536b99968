"""Refinement that never moves a label, or that erases all of them.

The mean entropy of the label bank, in nats, is 0 while every row is still its hard label, and
``log K`` where every row has become the same for all classes.
"""

from __future__ import annotations

import dataclasses

from slr_keras.diagnoses._base import Diagnosis, Seen

EPOCHS = 5  # of refinement
STILL = 1e-3  # of log K
ERASED = 0.998  # of log K: labels as soft as 0.98 log K are seen in runs that learn well


@dataclasses.dataclass(frozen=True)
class IdleLabels(Diagnosis):
    """After five epochs of refinement the labels' entropy is at 0, or at ``log K``."""

    name = "idle_labels"
    title = "labels do not move"
    by_epoch = EPOCHS

    def look(self, seen: Seen) -> str | None:
        """See the class."""
        labels, last = seen.config.scheme, seen.last
        if not labels.refines or last is None or seen.running or last.label_entropy is None:
            return None
        refined = sum(labels.refining(epoch.epoch) for epoch in seen.epochs)
        if refined < EPOCHS:
            return None
        section = "method" if id(labels) == id(seen.config.method) else "labels"
        share = last.label_entropy / seen.facts.uniform_loss
        if share < STILL:
            return (
                f"after {refined} epochs of refinement the labels are as given, their entropy is "
                f"{last.label_entropy:.2g} nats: try a smaller --{section}.momentum, or let "
                f"{section}.start_epoch come before the training images are memorised"
            )
        if share > ERASED:
            return (
                f"after {refined} epochs of refinement the labels say nothing any more, their "
                f"entropy is {last.label_entropy:.3g} of at most {seen.facts.uniform_loss:.3g} "
                f"nats: try a smaller --{section}.refine_ratio, or a later --{section}.start_epoch"
            )
        return None
