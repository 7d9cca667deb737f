"""Claims as data: papers, checks, subjects, metrics, and how TOML becomes them."""
