"""The app's raw SQL, one module a subject."""
