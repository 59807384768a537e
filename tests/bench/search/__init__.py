"""Search over many profiles, measured."""
