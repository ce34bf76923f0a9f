"""Configurations → run folders → reports."""
