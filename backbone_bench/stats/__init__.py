"""Statistics on plain floats and the standard library alone."""
