"""What the tasks share of the network below their heads: one scheme a file."""
