"""The lowest layer: errors, signals, the program's version, and small tools that every other folder may import."""
