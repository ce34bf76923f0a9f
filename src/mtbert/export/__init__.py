"""Files that are published with a finished model."""
