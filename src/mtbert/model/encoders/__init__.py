"""Encoders: token ids → hidden states; their sizes and weights, in and out."""
