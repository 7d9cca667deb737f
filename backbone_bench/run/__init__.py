"""Run jobs, each in a fresh worker process: parent, worker, their messages, sweeps, resuming and time estimates."""
