"""What the literature calls a method: numbers in, numbers out."""
