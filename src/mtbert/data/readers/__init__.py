"""Readers of data files: one format a file, one row at a time, within bounds."""
