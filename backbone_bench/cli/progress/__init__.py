"""Progress on stderr: a moving bar on a terminal, lines elsewhere."""
