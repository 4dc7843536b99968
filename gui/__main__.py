"""``python -m gui``: as main.py, from anywhere."""

import sys

from .app import main

if __name__ == "__main__":
    sys.exit(main())
