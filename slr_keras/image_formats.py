"""Which image files are read, by their suffix and by Pillow's name."""

from __future__ import annotations

SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP",
    ".tif": "TIFF", ".tiff": "TIFF", ".ppm": "PPM", ".pgm": "PPM",
}  # fmt: skip
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))  # Pillow knows more; one of them runs programs
