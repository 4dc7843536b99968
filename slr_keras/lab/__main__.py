"""``python -m slr_keras.lab``: the app's lab, spoken to in JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from slr_keras.lab.server import serve
from slr_keras.protocol.channel import Channel
from slr_keras.terminal import cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stdin ends; returns the exit code."""
    text = "Load models and attack single images, for the app: JSON lines on stdin and stdout."
    words = sys.argv[1:] if arguments is None else list(arguments)
    cli.use_plugins(words)
    cli.make_parser("lab", text).parse(words)
    with Channel.open("lab") as channel:
        return serve(channel)


if __name__ == "__main__":
    sys.exit(cli.run(main))
