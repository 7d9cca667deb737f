"""From evidence to verdicts: counted, swept and clocked checks, causes, and the list of what is to be measured."""
