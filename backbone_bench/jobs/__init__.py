"""What is asked for, as data: settings with their origins, and the jobs that they come to."""
