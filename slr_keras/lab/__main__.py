"""``python -m slr_keras.lab``: the window's lab."""

from __future__ import annotations

import sys

from slr_keras.channel import Channel
from slr_keras.lab.server import serve

if __name__ == "__main__":
    with Channel.open("lab") as channel:
        code = serve(channel)
    sys.exit(code)
