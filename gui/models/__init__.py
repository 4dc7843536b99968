"""State and rules without Qt."""
