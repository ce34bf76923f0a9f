"""What a finished model is given to others with."""
