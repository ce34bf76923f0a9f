"""Losses → per-task gradients → surgery → optimizer → checkpoint."""
