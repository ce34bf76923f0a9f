"""The encoder families, by the `model_type` of their `config.json`."""

from __future__ import annotations

__all__ = ["FAMILIES"]

FAMILIES = {"bert": "mtbert.model.encoders.bert:BertEncoder"}
"""`module:class`; a module is imported when an encoder of its family is read."""
