"""Requests as data: the settings with their origins, and the jobs made from them."""
