"""Wire shapes, one module a subject."""
