"""Random tokenizers in the layouts that encoders come in, and what AutoTokenizer makes of them."""

import json
import random
import warnings
from itertools import pairwise
from pathlib import Path

from tokenizers import AddedToken, decoders, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordPiece

from mtbert.data.tokenizer import Tokenizer
from mtbert.data.tokenizer_export import tokenizer_files

NAMES = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
PIECES = [*"abBeEéÉßİi日本1.,!'-ﬁжЖāxX_", "ab", "Ab", "ss", "日本", "12", "fi", "</s>"]
WORDS = [*PIECES, "abba", "ABBA", "Éab", "日本ab", "12ab", "a.b", "xX", "żółć", "İi", "ßß", "новыЖ"]
CLASSES = [
    None,
    None,
    "BertTokenizer",
    "BertTokenizerFast",
    "DistilBertTokenizer",
    "ElectraTokenizerFast",
    "PreTrainedTokenizerFast",
    "TokenizersBackend",
]
LITERALS = ["[CLS]", "[SEP]", "[UNK]", "[MASK]", "[PAD]", "<ent>", "new-word", "<s>"]


def random_folder(folder: Path, seed: int) -> list[str]:
    """Write an encoder's tokenizer files; returns texts to try."""
    source = random.Random(seed)
    names = dict(NAMES)
    if source.random() < 0.25:
        for role in source.sample(list(names), source.randint(1, 5)):
            names[role] = {"cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>",
                           "pad_token": "<pad>", "mask_token": "<mask>"}[role]  # fmt: skip
    vocabulary = _vocabulary(source, names)
    rows = len(vocabulary) + source.choice([0, 0, 0, 3, 10])
    said, files = _said(source, names), {}
    if source.random() < 0.3:
        said["added_tokens_decoder"] = _added(source, vocabulary, names)
    elif source.random() < 0.3:
        extra = source.sample(["<ent>", "new-word", "New"], source.randint(1, 3))
        files["added_tokens.json"] = {t: len(vocabulary) + i for i, t in enumerate(extra)}
    unsaid = source.random() < 0.1  # no tokenizer_config.json
    if source.random() < 0.3 or (unsaid and names != NAMES):
        form = source.random() < 0.5
        files["special_tokens_map.json"] = {
            role: {"content": name, "lstrip": False, "rstrip": False, "normalized": False,
                   "single_word": False} if form else name
            for role, name in names.items()
        }  # fmt: skip
    if source.random() < 0.2:
        said["additional_special_tokens"] = source.sample(LITERALS[5:7], 1)
    files["config.json"] = {"model_type": "bert", "vocab_size": rows}
    if unsaid:
        said = {}
    else:
        files["tokenizer_config.json"] = said
    stored = source.random() < 0.5
    if said.get("tokenizer_class") in ("PreTrainedTokenizerFast", "TokenizersBackend"):
        stored = True
    if stored:
        files["tokenizer.json"] = json.loads(_stored(source, vocabulary, names).to_str())
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    if not stored or source.random() < 0.5:
        end = source.choice(["\n", "", "\r\n", "\n\n"])
        line = "\r\n" if end == "\r\n" else "\n"
        (folder / "vocab.txt").write_bytes((line.join(vocabulary) + end).encode())
    return [_text(source) for _ in range(8)]


def _text(source: random.Random) -> str:
    between = source.choice(["", " ", "\t"])
    words = [source.choice(source.choice([WORDS, WORDS, PIECES, LITERALS])) for _ in range(12)]
    return between.join(w + source.choice(["", " ", "  "]) for w in words[: source.randint(0, 12)])


def _vocabulary(source: random.Random, names: dict[str, str]) -> list[str]:
    specials = list(names.values())
    if source.random() < 0.2:
        specials = [t for t in specials if t not in (names["pad_token"], names["mask_token"])]
    tokens = [t for t in PIECES if source.random() < 0.7]
    tokens += [f"##{t}" for t in PIECES if source.random() < 0.6]
    everything = [*specials, *(t for t in tokens if t not in specials)]
    if source.random() < 0.5:
        source.shuffle(everything)
    if source.random() < 0.1:
        everything.insert(source.randrange(len(everything)), source.choice(tokens or ["a"]))
    return everything


def _said(source: random.Random, names: dict[str, str]) -> dict:
    said = {}
    for key, values in (
        ("do_lower_case", [True, False]),
        ("strip_accents", [True, False, None]),
        ("tokenize_chinese_chars", [True, False]),
    ):
        if source.random() < 0.6:
            said[key] = source.choice(values)
    kind = source.choice(CLASSES)
    if kind is not None:
        said["tokenizer_class"] = kind
    if names != NAMES or source.random() < 0.5:
        said |= names
    if source.random() < 0.1:
        said["split_special_tokens"] = True
    return said


def _added(source: random.Random, vocabulary: list[str], names: dict[str, str]) -> dict:
    decoder = {}
    for token in names.values():
        if token in vocabulary:
            decoder[str(vocabulary.index(token))] = _flags(token, special=True)
    for number, token in enumerate(
        source.sample(["<ent>", "new-word", "New"], source.randint(0, 3))
    ):
        decoder[str(len(vocabulary) + number)] = _flags(
            token,
            special=source.random() < 0.3,
            normalized=source.random() < 0.5,
            single_word=source.random() < 0.3,
            lstrip=source.random() < 0.3,
            rstrip=source.random() < 0.3,
        )
    return decoder


def _flags(token: str, **flags) -> dict:
    off = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"content": token, **off, **flags}


def _stored(source: random.Random, vocabulary: list[str], names: dict[str, str]) -> FastTokenizer:
    ids = {token: number for number, token in enumerate(vocabulary)}
    fast = FastTokenizer(WordPiece(ids, unk_token=names["unk_token"]))
    fast.normalizer = source.choice(
        [
            normalizers.BertNormalizer(lowercase=source.random() < 0.5, strip_accents=None),
            normalizers.BertNormalizer(lowercase=True, strip_accents=False),
            normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
            None,
        ]
    )
    fast.pre_tokenizer = source.choice(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Whitespace()]
    )
    fast.decoder = decoders.WordPiece()
    if source.random() < 0.8:
        present = [t for t in names.values() if t in ids]
        fast.add_special_tokens([AddedToken(t, special=True) for t in present])
    cls, sep = names["cls_token"], names["sep_token"]
    fast.post_processor = source.choice(
        [
            processors.BertProcessing((sep, ids[sep]), (cls, ids[cls])),
            processors.TemplateProcessing(
                single=[cls, "$A", sep],
                pair=[cls, "$A", sep, "$B:1", f"{sep}:1"],
                special_tokens=[(cls, ids[cls]), (sep, ids[sep])],
            ),
        ]
    )
    return fast


def auto_tokenizer(folder: Path):
    """What transformers makes of a folder."""
    from transformers import AutoTokenizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return AutoTokenizer.from_pretrained(folder)


def write_as_run(tokenizer: Tokenizer, folder: Path, rows: int) -> Path:
    """The tokenizer as it lies in a finished run's model."""
    folder.mkdir()
    files = tokenizer_files(tokenizer, 64) | {"mtbert.json": "{}"}
    files["config.json"] = json.dumps({"model_type": "bert", "vocab_size": rows})
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def assert_alike(tokenizer: Tokenizer, theirs, texts: list[str], rows: int) -> None:
    """The same ids, of texts alone and between the special tokens.

    Texts with tokens beyond the encoder's rows, on which transformers' own model fails, are left
    out; a second text that is empty is no second text there.
    """
    texts = [t for t in texts if max([0, *theirs(t)["input_ids"]]) < rows]
    ours = tokenizer.encode(texts)
    found = [ours[i].tolist() for i in range(len(texts))]
    assert found == [theirs(t, add_special_tokens=False)["input_ids"] for t in texts]
    each = list(zip(texts, found, strict=True))
    cls, sep = [tokenizer.cls_id], [tokenizer.sep_id]
    for (first, a), (second, b) in pairwise(each):
        assert theirs(first)["input_ids"] == [*cls, *a, *sep]
        if second:
            pair = theirs(first, second)
            assert pair["input_ids"] == [*cls, *a, *sep, *b, *sep]
            segments = [0] * (len(a) + 2) + [1] * (len(b) + 1)
            assert pair.get("token_type_ids", segments) == segments
