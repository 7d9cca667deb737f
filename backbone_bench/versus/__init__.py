"""Two or more candidates measured in turn, the rule that decides between them, and how the verdict is shown."""
