"""Plots as data: one layout, drawn as SVG, or as PNG and PDF."""
