"""The engine Ray: the driver in this process, and a task for each row."""
