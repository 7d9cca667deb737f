"""Joules of an image: sources, windows, idle, and the meter over them."""
