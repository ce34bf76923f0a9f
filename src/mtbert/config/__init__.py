"""Configurations: every key with its meaning, read from YAML and checked as a whole."""
