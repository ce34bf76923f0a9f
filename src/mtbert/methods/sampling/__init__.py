"""Which examples of which task a step sees."""
