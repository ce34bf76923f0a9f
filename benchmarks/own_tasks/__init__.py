"""Small tasks of our own, as strangers have them: made from a seed, trained, and compared."""
