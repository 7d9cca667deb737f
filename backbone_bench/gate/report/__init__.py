"""The reports of a gate: text, tables, JSON, CSV, JUnit XML, GitHub annotations and files for trackers."""
