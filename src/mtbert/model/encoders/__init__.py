"""Encoders: token ids → hidden states; one family a file."""
