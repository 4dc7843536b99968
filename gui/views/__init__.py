"""Widgets; they draw and report clicks."""
