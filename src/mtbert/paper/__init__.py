"""What the reproduced paper says, and whether our runs agree."""
