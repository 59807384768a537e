"""Who may sign in: the staff's accounts.

The model is our own from the first migration on, since it cannot be exchanged later.
"""
