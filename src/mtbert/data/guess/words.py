"""Words that columns are called by, in English, and what they say of them."""

from __future__ import annotations

import re

__all__ = [
    "CLASS_WORDS", "ID_WORDS", "ROW_WORDS", "SCALE_WORDS", "SPLIT_WORDS", "TEXT_WORDS",
    "TITLE_WORDS", "is_name", "words_of",
]  # fmt: skip

CLASS_WORDS = frozenset({
    "label", "labels", "class", "classes", "category", "categories", "target", "y", "gold",
    "intent", "topic", "sentiment", "emotion", "tag", "tags", "genre", "type", "polarity",
    "stance", "answer",
})  # fmt: skip
"""Words in the names of columns that hold classes."""
SCALE_WORDS = frozenset({
    "score", "scores", "rating", "ratings", "stars", "star", "grade", "points", "level",
    "urgency", "priority", "similarity", "year", "age", "price", "length", "strength",
    "intensity", "csat", "nps",
})  # fmt: skip
"""Words in the names of columns that hold numbers on a scale."""
TEXT_WORDS = frozenset({
    "text", "texts", "sentence", "body", "message", "review", "comment", "content", "title",
    "question", "utterance", "tweet", "post", "document", "abstract", "description", "premise",
    "hypothesis", "transcription", "transcript", "msg", "query", "headline", "passage",
    "paragraph", "string", "answer", "summary", "subject",
})  # fmt: skip
TITLE_WORDS = frozenset({"title", "subject", "headline", "heading", "betreff", "titel"})
"""Words in the names of columns that hold what stands above a text."""
ID_WORDS = frozenset(
    {"id", "ids", "idx", "index", "uuid", "guid", "qid", "pid", "uid", "key", "sku", "hash"}
)
ROW_WORDS = ID_WORDS | {"no", "nr", "number", "row", "code", "ref", "signature", "unnamed"}
SPLIT_WORDS = frozenset({"split", "fold", "partition", "subset"})


def words_of(name: str) -> set[str]:
    """The words of a column's name: of `sameIssue`, `same_issue` and `Same issue`."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return set(re.findall(r"[^\W\d_]+", apart.lower()))


def is_name(text: str) -> bool:
    """Whether a text consists of such words alone."""
    words = words_of(text)
    return bool(words) and words <= TEXT_WORDS | CLASS_WORDS | SCALE_WORDS | ROW_WORDS
