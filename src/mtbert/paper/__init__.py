"""What the paper says, and whether it holds."""
