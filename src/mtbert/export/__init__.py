"""What a finished model is published with."""
