"""Inference: predictions, metrics and leaderboard files of a trained network."""
