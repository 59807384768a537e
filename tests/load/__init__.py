"""Load tests: k6 asks the running site in an open model and holds it to its service level."""
