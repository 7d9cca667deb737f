"""Energy per image: power sources, windows, idle power, and the energy meter."""
