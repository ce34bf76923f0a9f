"""A trained network at work: predictions, scores, the leaderboard's files."""
