"""``python -m slr_keras.export``: write a model for others, and prove that it is the same."""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slr_keras import hub
from slr_keras.errors import RunError, UserError
from slr_keras.export_formats import FORMATS, Format
from slr_keras.protocol import events
from slr_keras.shelves import PREFIX
from slr_keras.terminal import cli
from slr_keras.terminal.console import reporter

if TYPE_CHECKING:
    import numpy as np

    from slr_keras.protocol.channel import Channel


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, export, verify in a fresh process; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if cli.wants_json(words):
        return cli.through_channel("export", words, _command)
    return _command(words)


def _parser() -> cli.Parser:
    parser = cli.make_parser("export", "Export the inference network of a run or a .keras file.")
    parser.add_argument("target", help="run folder or .keras file")
    parser.add_argument("--format", choices=FORMATS, default="saved_model", help="[saved_model]")
    parser.add_argument("--which", choices=("best", "final"), help="epoch [best if there is one]")
    parser.add_argument("--out", metavar="PATH", help="where to [savedmodel/ in the run folder]")
    parser.add_argument(
        "--images",
        type=int,
        default=100,
        metavar="N",
        help="test images compared too, clean and attacked [100]; 0: random ones alone",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    parser.add_argument(
        "--push", metavar="USER/NAME", help="upload it and its card to the Hugging Face Hub"
    )
    cli.add_window(parser)
    return parser


def _command(words: Sequence[str], channel: Channel | None = None) -> int:
    cli.use_plugins(words)
    options = _parser().parse(words)
    tell = reporter("json", channel) if channel else lambda _: None
    source = _source(options.target, options.which)
    form = FORMATS[options.format]
    home = pathlib.Path() if options.target.startswith(PREFIX) else source.parent
    out = pathlib.Path(options.out) if options.out else home / form.place
    _check_place(out, form, options.overwrite)
    form.check()
    if options.push:
        hub.check(options.push)
        _check_known(source)
    tell(events.PhaseStarted("importing"))
    cli.import_framework()
    from slr_keras import saving

    net = saving.load_model(source)
    probe = _probe(net, source, options.images)
    tell(events.PhaseStarted("exporting"))
    difference = saving.export_network(net, out, options.format, probe.images)
    found = f"largest difference from the trained model {difference:.1e}, in a fresh process"
    found += probe.words
    card = _write_card(source, out)
    written = (str(out), str(card)) if card else (str(out),)
    tell(events.TaskEnded(f"{out.name}: {found}", written))
    print(f"{out}: {found}")
    if card:
        print(f"model card {card}")
    if options.push and card:
        tell(events.PhaseStarted("pushing"))
        print(f"pushed to {hub.push(options.push, out, card)}")
    return 0


def _check_known(source: pathlib.Path) -> None:
    """Only what a card can be written of is pushed."""
    if not (source.parent / "config.toml").is_file():
        raise UserError(f"--push: expected a run, received {source}: nothing is known for a card")


@dataclasses.dataclass(frozen=True)
class Probe:
    """Images on which the written network is compared, and what the trained one makes of them."""

    images: np.ndarray | None = None
    words: str = ""


def _probe(net: Any, source: pathlib.Path, count: int) -> Probe:
    """Test images of a run, clean and attacked as in training; nothing for a plain file."""
    if count < 0:
        raise UserError(f"--images: expected 0 or more, received {count}")
    if not count or not (source.parent / "config.toml").is_file():
        return Probe()
    import numpy as np

    from slr_keras import data
    from slr_keras.terminal import targets

    config = targets.find(str(source.parent), source.stem, {}).config
    try:
        loaded = data.load(config.data, config.seed)
    except UserError as error:
        print(f"warning: compared on random images alone: {error}", file=sys.stderr)
        return Probe()
    x, y = data.as_float(loaded.x_test[:count]), loaded.y_test[:count]
    attacked = config.attack(net, x, y, seed=config.seed)
    right = [
        100 * float(np.mean(net.predict(images, verbose=0).argmax(-1) == y))
        for images in (x, attacked)
    ]
    words = (
        f"; the same on {len(x)} test images and their adversarial ones ({right[0]:.0f} and "
        f"{right[1]:.0f} % right under {config.attack.name} of training)"
    )
    return Probe(np.concatenate([x, attacked]), words)


def _write_card(source: pathlib.Path, out: pathlib.Path) -> pathlib.Path | None:
    """What is known of a run's model, beside or in what was written; None for a plain file."""
    from slr_keras.analysis import card, record
    from slr_keras.run_folder import write_atomically

    if not (source.parent / "config.toml").is_file():
        return None
    try:
        known = record.read(str(source.parent))
    except UserError as error:
        print(f"warning: no model card is written: {error}", file=sys.stderr)
        return None
    path = out / "README.md" if out.is_dir() else out.with_suffix(".md")
    write_atomically(path, card.render(known, source.stem).encode())
    return path


def _check_place(out: pathlib.Path, form: Format, overwrite: bool) -> None:
    """Only what an export wrote is ever replaced."""
    if form.suffix and out.suffix != form.suffix:
        raise UserError(f"--out: expected a name that ends in {form.suffix}, received {out}")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out: no such folder: {out.parent}")
    if out.exists() and not overwrite:
        raise RunError(f"{out} exists: choose another place with --out, or give --overwrite")
    ours = (out / form.marker).is_file() if form.marker else out.is_file()
    if out.exists() and not ours:
        raise RunError(f"{out} is no {form.name} export and is not overwritten; remove it")


def _source(target: str, which: str | None) -> pathlib.Path:
    from slr_keras.terminal import targets

    place = pathlib.Path(target)
    if place.is_file() and place.suffix == ".keras":
        return place
    return targets.find(target, which or targets.newest(target), {}).file


if __name__ == "__main__":
    sys.exit(cli.run(main))
