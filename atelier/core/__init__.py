"""The kernel: cache scopes and their write door, errors, request plumbing, visitors.

It knows no word of the shop; every app stands on it.
"""
