"""The host machine: processor, memory, load."""
