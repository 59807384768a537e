"""The cache protocol as a model, and a checker that exhausts its interleavings."""
