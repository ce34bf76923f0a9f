"""The commands of the command line, one per file; `table.py` lists them."""
