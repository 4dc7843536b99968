"""What a screen does; no widgets."""
