"""Every write, one module a subject."""
