"""Accounts and profiles from CSV: read and spelled canonically line by line, settled by set-based
SQL against each other and against what is there, and made visible in one transaction."""
