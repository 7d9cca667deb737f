"""Time by layer: a pass under torch's profiler, and the module that each operation belongs to."""
