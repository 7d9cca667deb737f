"""The machine under the devices: processor, memory, load."""
