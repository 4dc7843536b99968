"""``python -m slr_keras.attack``: one image file, attacked on a run or a model file."""

from __future__ import annotations

import argparse
import io
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from slr_keras import networks
from slr_keras.attacks._base import Attack
from slr_keras.attacks.pgd import PGD
from slr_keras.errors import UserError, did_you_mean
from slr_keras.evaluation.specs import fitted, make_attack, read_ball
from slr_keras.settings import schema
from slr_keras.settings.schema import PIXELS, Facts
from slr_keras.terminal import cli

LEVELS = 255  # of a pixel in a PNG
SHOWN = 3  # classes whose probabilities are printed


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, attack, print what the model says, write the image; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    cli.use_plugins(words)
    options = _parser().parse(words)
    if not options.target or not options.image:
        raise UserError("expected a run folder or a .keras file, and an image (see --help)")
    _check_files(options)
    return _attack(options)


def _parser() -> cli.Parser:
    parser = cli.make_parser("attack", "Attack one image and write the adversarial one.")
    add = parser.add_argument
    add("target", nargs="?", help="run folder, or .keras file")
    add("image", nargs="?", help="PNG, JPEG, BMP or WEBP; resized to what the model takes")
    add("--attack", default="pgd-20", metavar="NAME", help="as for evaluate [pgd-20]")
    add("--norm", choices=("linf", "l2", "l1"), help="norm of the ball [as in the run]")
    add("--eps", metavar="EPS", help=f"radius, {PIXELS} [as in the run]")
    add("--step-size", metavar="STEP", help="step size [as in the run, or a quarter of eps]")
    add("--restarts", type=int, default=1, metavar="N", help="random starts [1]")
    add("--label", metavar="CLASS", help="true class, number or name [what the model says]")
    add("--target-class", metavar="CLASS", help="class to reach [any wrong one]")
    add("--seed", type=int, default=0, help="of the random start [0]")
    add("--which", choices=("best", "final"), help="epoch [best if there is one]")
    add("--out", metavar="FILE.png", help="the attacked image, rounded to 8 bits")
    add("--npy", metavar="FILE.npy", help="the attacked image as it is, float32")
    return parser


def _check_files(options: argparse.Namespace) -> None:
    for flag, suffix in (("out", ".png"), ("npy", ".npy")):
        path = getattr(options, flag)
        if path and pathlib.Path(path).suffix.lower() != suffix:
            raise UserError(f"--{flag}: expected a file ending in {suffix}, received {path}")
        if path and not pathlib.Path(path).absolute().parent.is_dir():
            raise UserError(f"--{flag}: no such folder: {pathlib.Path(path).parent}")
    if not 0 <= options.seed < 2**31:
        raise UserError(f"--seed: expected a whole number >= 0, received {options.seed}")


def _attack(options: argparse.Namespace) -> int:
    run = _run_of(options)
    like = run.config.attack if run else PGD()
    ball = read_ball(like, options.norm, options.eps, options.step_size, options.restarts)
    attack = make_attack(options.attack, ball)
    if options.target_class is not None:
        attack = attack.replace(targeted=True)
    cli.import_framework()
    from slr_keras import saving
    from slr_keras.data._image_files import read_image

    net = saving.load_model(run.file if run else options.target)
    image, notes = read_image(options.image, networks.input_shape(net)[1:], options.target)
    classes = networks.num_classes(net)
    names = _class_names(run, classes)
    result = _search(net, image, fitted(attack, classes), options, names)
    for note in notes:
        print(note)
    _show(result, names, attack)
    _write(result, options)
    return 0


def _run_of(options: argparse.Namespace) -> Any:
    """The run that is meant; None for a model file, whose data set does not matter here."""
    from slr_keras.terminal import targets

    if pathlib.Path(options.target).is_file() and options.target.endswith(".keras"):
        return None
    return targets.find(options.target, options.which or targets.newest(options.target), {})


def _class_names(run: Any, classes: int) -> list[str]:
    """The names of the data set, or numbers where it is not at hand."""
    from slr_keras import data

    try:
        names = data.load(run.config.data, run.config.seed, read=False).class_names if run else ()
    except UserError:
        names = ()
    return list(names) if len(names) == classes else [str(k) for k in range(classes)]


def _class_number(flag: str, text: str, names: list[str]) -> int:
    if text in names:
        return names.index(text)
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    hint = did_you_mean(text, names) if not text.isdecimal() else ""
    raise UserError(f"{flag}: expected a class 0 to {len(names) - 1}, received {text!r}.{hint}")


# -- the search -------------------------------------------------------------------------------


def _search(
    net: Any, image: Any, attack: Attack, options: argparse.Namespace, names: list[str]
) -> dict[str, Any]:
    """Images, logits and what came out."""
    import numpy as np

    from slr_keras.evaluation.judge import Judge, inside_ball

    attack.check_classes(len(names))
    judge, x = Judge(net), image[None]
    clean = judge.logits(x)[0]
    if not np.isfinite(clean).all():
        raise UserError(f"{options.target}: the model gives NaN or infinite logits for this image")
    label = int(clean.argmax())
    if options.label is not None:
        label = _class_number("--label", options.label, names)
    aim = label
    if attack.targeted:
        aim = _class_number("--target-class", options.target_class, names)
        if aim == label:
            raise UserError(f"--target-class: {names[aim]} is the class of the image already")
    found = attack(net, x, np.array([aim]), seed=options.seed)
    rounded = _rounded(x, found)
    if not inside_ball(x, rounded, attack.norm, attack.eps)[0]:
        rounded = _rounded(x, found, towards_image=True)
    images = {"adversarial": found[0], "rounded": rounded[0]}
    logits = {key: judge.logits(value[None])[0] for key, value in images.items()}
    return {
        "clean": image,
        "label": label,
        "aim": aim,
        **images,
        "logits": {"clean": clean, **logits},
    }


def _rounded(x: Any, found: Any, towards_image: bool = False) -> Any:
    """The image in 8 bits; ``towards_image`` it leaves no ball that it was in."""
    import numpy as np

    if not towards_image:
        return (np.round(found * LEVELS) / LEVELS).astype("float32")
    steps = np.trunc((found.astype("float64") - x) * LEVELS + 1e-4 * np.sign(found - x))
    return ((np.round(x * LEVELS) + steps) / LEVELS).astype("float32")


def _reached(result: dict[str, Any], which: str, targeted: bool) -> bool:
    predicted = int(result["logits"][which].argmax())
    return predicted == result["aim"] if targeted else predicted != result["label"]


# -- what comes of it -------------------------------------------------------------------------


def _show(result: dict[str, Any], names: list[str], attack: Attack) -> None:
    rows = {"clean": "clean", "adversarial": "adversarial", "rounded": "8 bits"}
    for which, title in rows.items():
        print(f"{title:12} {_probabilities(result['logits'][which], names)}")
    print(f"{'distance':12} {_distances(result)}")
    print(_verdict(result, names, attack))


def _probabilities(logits: Any, names: list[str]) -> str:
    """The likeliest classes: ``3 (97.1 %), 8 (1.2 %)``."""
    import numpy as np

    shares = np.exp(logits.astype("float64") - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares)[:SHOWN]
    return ", ".join(f"{names[k]} ({100 * shares[k]:.1f} %)" for k in order)


def _distances(result: dict[str, Any]) -> str:
    from slr_keras.evaluation.judge import distances

    x, found = result["clean"][None], result["adversarial"][None]
    sizes = {norm: float(distances(x, found, norm)[0]) for norm in ("linf", "l2", "l1")}
    return f"linf {LEVELS * sizes['linf']:.2f}/255, l2 {sizes['l2']:.3f}, l1 {sizes['l1']:.2f}"


def _verdict(result: dict[str, Any], names: list[str], attack: Attack) -> str:
    before, label = int(result["logits"]["clean"].argmax()), names[result["label"]]
    radius = schema.show(attack.eps, Facts("radius", unit=PIXELS))
    ball = f"within {attack.norm} {radius}"
    if not attack.targeted and before != result["label"]:
        return f"Wrong before: the model takes the clean image for {names[before]}, not {label}."
    hit, kept = (_reached(result, key, attack.targeted) for key in ("adversarial", "rounded"))
    if not hit:
        aim = f" into {names[result['aim']]}" if attack.targeted else ""
        return f"Not fooled: {attack.name} does not turn {label}{aim} {ball}."
    after = names[int(result["logits"]["adversarial"].argmax())]
    still = "still fools" if kept else "no longer fools: keep the pixels as they are with --npy"
    return f"Fooled: {label} became {after} {ball}. Rounded to 8 bits it {still}."


def _write(result: dict[str, Any], options: argparse.Namespace) -> None:
    import numpy as np
    from PIL import Image

    from slr_keras.run_folder import write_atomically

    if options.out:
        pixels = np.round(result["rounded"] * LEVELS).astype("uint8")
        buffer = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "PNG")
        write_atomically(pathlib.Path(options.out), buffer.getvalue())
        print(f"written to {options.out}")
    if options.npy:
        buffer = io.BytesIO()
        np.save(buffer, result["adversarial"])
        write_atomically(pathlib.Path(options.npy), buffer.getvalue())
        print(f"written to {options.npy}")


if __name__ == "__main__":
    sys.exit(cli.run(main))
