"""What changed between a baseline and now."""
