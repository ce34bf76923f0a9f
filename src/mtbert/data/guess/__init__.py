"""Guesses about files that no configuration describes yet: what `mtbert init` writes down."""
