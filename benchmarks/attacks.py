"""PGD-10 on one Keras model: slr_keras against ART, Foolbox and CleverHans.

    python -m benchmarks.attacks --model resnet18
    python -m benchmarks.attacks --model small_cnn --batch 128

All attack the same batch with the same radius, step and number of steps from a random start, each
in a process of its own.
Peers that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import _subjects, _timing

OURS = "slr_keras"
EPS, STEP_SIZE, STEPS = 8 / 255, 2 / 255, 10
# How many times faster than the peer, at least.
TARGETS = {
    "resnet18": {"ART": 2.5, "Foolbox": 2.0, "CleverHans": 1.05},
    "small_cnn": {"ART": 5.0, "Foolbox": 5.0, "CleverHans": 1.3},
}


def main(arguments: list[str] | None = None) -> int:
    """Time every peer that is there; 0 if all targets are reached."""
    parser = _timing.parser(__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(_subjects.SHAPES), default="resnet18")
    parser.add_argument("--batch", type=int, help="images at once (32, small CNN 128)")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    arguments = sys.argv[1:] if arguments is None else arguments
    flags = parser.parse_args(arguments)
    if flags.side:
        return _timing.serve(lambda: _side(flags))
    _timing.warn_if_busy()
    works = _timing.sides("benchmarks.attacks", arguments, OURS, [*SIDES][1:])
    times = _timing.alternate(works, flags.rounds, flags.warmup)
    ours = times.pop(OURS)
    targets = TARGETS[flags.model]
    return _timing.report(
        [
            _timing.Comparison(f"PGD-10, {flags.model} / {name}", ours, peer, 1 / targets[name])
            for name, peer in times.items()
        ],
        flags.json,
    )


def _side(flags: argparse.Namespace) -> _timing.Work:
    _timing.use_threads(flags.threads, 1 if flags.side == OURS else flags.threads)
    batch = _subjects.data(flags.model, flags.batch)
    return SIDES[flags.side](_subjects.network(flags.model), batch)


def _ours(net: Any, batch: _subjects.Data) -> _timing.Work:
    import tensorflow as tf

    from slr_keras import backend
    from slr_keras.attacks._numbers import seeded
    from slr_keras.attacks._objective import Objective
    from slr_keras.attacks.pgd import PGD
    from slr_keras.inference import InferenceNetwork

    attack = PGD(eps=EPS, step_size=STEP_SIZE, steps=STEPS)
    network, seed = InferenceNetwork(net), seeded(0)

    def run(x: Any, y: Any) -> Any:
        return attack.run(Objective(network.snapshot(), y), x, seed)

    shapes = ((None, *batch.x.shape[1:]), "float32"), ((None,), "int64")
    compiled = backend.compiled(run, *shapes)
    x, y = tf.constant(batch.x), tf.constant(batch.y)
    return lambda: compiled(x, y).numpy()


def _art(net: Any, batch: _subjects.Data) -> _timing.Work:
    import tensorflow as tf
    from art.attacks.evasion import ProjectedGradientDescentTensorFlowV2
    from art.estimators.classification import TensorFlowV2Classifier

    classifier = TensorFlowV2Classifier(
        model=net,
        nb_classes=_subjects.CLASSES,
        input_shape=batch.x.shape[1:],
        loss_object=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        clip_values=(0.0, 1.0),
    )
    attack = ProjectedGradientDescentTensorFlowV2(
        classifier,
        eps=EPS,
        eps_step=STEP_SIZE,
        max_iter=STEPS,
        num_random_init=1,
        batch_size=len(batch.x),
        verbose=False,
    )
    labels = np.eye(_subjects.CLASSES, dtype=np.float32)[batch.y]
    return lambda: attack.generate(batch.x, labels)


def _foolbox(net: Any, batch: _subjects.Data) -> _timing.Work:
    import foolbox
    import tensorflow as tf

    model = foolbox.TensorFlowModel(net, bounds=(0, 1))
    attack = foolbox.attacks.LinfPGD(abs_stepsize=STEP_SIZE, steps=STEPS, random_start=True)
    x, y = tf.constant(batch.x), tf.constant(batch.y)
    return lambda: attack.run(model, x, y, epsilon=EPS).numpy()


def _cleverhans(net: Any, batch: _subjects.Data) -> _timing.Work:
    import tensorflow as tf
    from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

    def logits(x: Any) -> Any:
        return net(x, training=False)

    x, y = tf.constant(batch.x), tf.constant(batch.y)
    return lambda: projected_gradient_descent(
        logits,
        x,
        EPS,
        STEP_SIZE,
        STEPS,
        np.inf,
        clip_min=0.0,
        clip_max=1.0,
        y=y,
        rand_init=True,
    ).numpy()


SIDES: dict[str, Callable[[Any, _subjects.Data], _timing.Work]] = {
    OURS: _ours,
    "ART": _art,
    "Foolbox": _foolbox,
    "CleverHans": _cleverhans,
}


if __name__ == "__main__":
    sys.exit(main())
