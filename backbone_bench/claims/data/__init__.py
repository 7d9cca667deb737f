"""Claims as data: papers, checks, subjects, metrics, and the reader that makes them from TOML."""
