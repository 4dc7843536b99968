"""Programs for a machine with an NVIDIA GPU; they run on a CPU too, to try them."""
