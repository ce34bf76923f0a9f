"""How fast mtbert is, side by side with its peers: one file, one question."""
