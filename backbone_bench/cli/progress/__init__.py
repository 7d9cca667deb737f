"""Progress on stderr: a progress bar on a terminal, lines elsewhere."""
