"""Odd inputs: pieces of files that break readers, and ways to damage a file that is well."""

import copy
import json
import random

from hypothesis import strategies as st

HUGE = "@huge@"  # becomes a number of thousands of digits, which `json.dumps` cannot write

VALUES = [
    None, True, False, -1, 0, 1, 2, 3.5, 2**31, 2**63, 2**64, 10**400, 1e308, -1e308, 1e-320,
    float("nan"), float("inf"), HUGE, "", " ", "\0", "../x", "/etc/passwd", "~nobody/x", "a" * 300,
    "a/" * 3000, "\ud800", "😀", "\u202e\u05d0", "\x1b[2J", "1", "yes", ".nan", "$(id)", "{{7*7}}",
    "!!python/object/apply:os.system", "bert", "packaged", [], {}, [[]] * 40, [None], {"": 1},
    {"a": {"b": {"c": [1]}}}, ["a", "a"], [0, 5], [5, 0], ["bad", "good"],
]  # fmt: skip

TEXT_PIECES = [
    '"', '""', "'", ",", ";", "\t", "\n", "\r", "\r\n", "\\", "{", "}", "[", "]", ":", "- ", "? ",
    "&a ", "*a", "<<: ", "!!", "%YAML 1.1\n", "---\n", "...\n", "# ", "| ", "> ", "null", "~",
    "id", "sentence", "sentence1", "sentence2", "label", "good", "bad", "0", "1", "-0", "2.5",
    "nan", "1e999", "9" * 5000, "0x" + "f" * 200, "\ufeff", "\0", "\x1a", "\x1b[31m",
    "\u2028", "\x85",
    "é", "e\u0301", "😀", "👨‍👩‍👧", "שלום", "\u202eabc", "日本", "ﷺ", "\\ud800",
    "\\u0000", '{"', '":', '"a"',
    "[CLS]", "[SEP]", "[UNK]", "[MASK]", "##a", "x" * 400,
]  # fmt: skip
PIECES = [
    *(piece.encode("utf-8", "surrogatepass") for piece in TEXT_PIECES),
    b"\xff", b"\xfe\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80" * 9,
]  # fmt: skip

seeds = st.integers(0, 2**48)
soups = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)
any_text = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(categories=["Cc", "Cf", "Cs", "Co", "Mn", "So"]), max_size=30),
    st.lists(st.sampled_from(TEXT_PIECES), max_size=12).map("".join),
    st.builds(lambda char, n: char * n, st.characters(), st.integers(1, 20_000)),
)


def damaged(raw: bytes, seed: int) -> bytes:
    """A file with one to six parts cut, doubled, swapped, flipped or put in."""
    source = random.Random(seed)
    for _ in range(source.randint(1, 6)):
        start = source.randint(0, len(raw))
        end = min(len(raw), start + source.choice([1, 1, 4, 30, 10_000]))
        part, piece = raw[start:end], source.choice(PIECES)
        raw = source.choice(
            [
                raw[:start] + raw[end:],
                raw[:end] + part[:2000] * source.choice([1, 2, 50]) + raw[end:],
                raw[:start] + piece + raw[start:],
                raw[:start] + piece + raw[end:],
                raw[:start] + bytes(byte ^ 1 << source.randrange(8) for byte in part) + raw[end:],
                raw[:start],
                raw[:start] + source.randbytes(len(part)) + raw[end:],
            ]
        )
    return raw


def damaged_tree(tree, seed: int):
    """A tree of plain values with one to four nodes replaced, removed, renamed or wrapped."""
    source = random.Random(seed)
    tree = copy.deepcopy(tree)
    for _ in range(source.randint(1, 4)):
        places = [*_places(tree)]
        if not places:
            return source.choice(VALUES)
        node, key = source.choice(places)
        match source.randrange(6):
            case 0:
                del node[key]
            case 1 if isinstance(node, dict):
                node[str(source.choice(VALUES))] = node.pop(key)
            case 2:
                node[key] = [node[key]]
            case 3:
                for _ in range(source.choice([3, 40, 200])):
                    node[key] = source.choice([[node[key]], {"a": node[key]}])
            case _:
                node[key] = copy.deepcopy(source.choice(VALUES))
    return tree


def as_json(tree) -> bytes:
    """The tree as a file, with HUGE written out; lone surrogates as escapes."""
    return json.dumps(tree).replace(f'"{HUGE}"', "9" * 5000).encode()


def _places(tree):
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], (dict, list)):
            yield from _places(tree[key])
