"""How a gate says what changed: text, tables, JUnit, GitHub and the files of trackers."""
