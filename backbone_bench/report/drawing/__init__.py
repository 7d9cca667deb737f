"""Plots as data, laid out once and drawn as SVG or PNG."""
