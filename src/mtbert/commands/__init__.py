"""The commands of the command line, a file each; `table.py` names them."""
