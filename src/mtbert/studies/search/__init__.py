"""Search for settings: a space of values, trials by Optuna (extra `tune`), what came of them."""
