"""Shelves: small trained networks in a folder or at an address, with digests and their figures.

A shelf is ``shelf.json``, the index, and beside it a ``.keras`` file and a model card for each
name, all in one folder: what a release page holds. Nothing is opened before its size and its
SHA-256 are those of the index. Importing this package loads no framework.
"""

from __future__ import annotations

from slr_keras.shelves._index import Entry, config_of
from slr_keras.shelves._shelf import PREFIX, Shelf, load

__all__ = ["PREFIX", "Entry", "Shelf", "config_of", "load"]
