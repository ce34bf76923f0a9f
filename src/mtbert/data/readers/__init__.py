"""Files of rows, read one at a time and within bounds."""
