"""How verdicts on claims are shown: tables, and the working of one."""
