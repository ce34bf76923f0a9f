"""Many sentences that differ, for tables as strangers have them."""

WORDS = [
    "the", "train", "was", "late", "again", "and", "nobody", "told", "us", "why", "we", "love",
    "this", "place", "cold", "staff", "kind",
]  # fmt: skip


def sentence(i, words=8):
    """The i-th of many different sentences."""
    return " ".join(WORDS[(i * 7 + j * (3 + i % 5)) % len(WORDS)] for j in range(words)) + f" {i}"
