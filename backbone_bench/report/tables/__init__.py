"""Tables as data, units, and one renderer a format."""
