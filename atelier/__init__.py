"""Configuration of the site, and in `atelier.core` the kernel that every app shares."""
