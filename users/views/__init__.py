"""Who may ask, one module a subject."""
