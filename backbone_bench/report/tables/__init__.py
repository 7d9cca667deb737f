"""Tables as data, and one renderer per output format."""
