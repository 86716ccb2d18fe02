"""What the package `tokenizers` makes of texts, by tokenizers of every kind.

Writes tests/fixtures/tokenizers: sentences.txt, a thousand sentences of the reviews, and for each tokenizer a folder with its file and expected.json.
Trained here on the reviews: a byte-level BPE and a Unigram of 2,000 pieces, and a WordPiece that pads and cuts. MiniLM's is the page's own; the plain
vocabulary is that of the page's Kim network, whose words are found as xtask/models/kim.py says.
"""

import hashlib
import json
import struct
import sys

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from common import FIXTURES, ROOT

sys.path.insert(0, str(ROOT / "xtask" / "models"))

import kim  # noqa: E402
import reviews  # noqa: E402
import sources  # noqa: E402

FOLDER = FIXTURES / "tokenizers"
PAGE = ROOT / "www" / "public" / "models"
COUNT, PIECES = 1000, 2000

SENTENCES = [
    "it's a glorified sitcom, and a long, unfunny one at that.",
    "",
    " ",
    "a",
    "I",
    "Hello, World!",
    "The quick brown fox jumps over the lazy dog.",
    "don't can't won't it's they're I'd we've you'll",
    "rock'n'roll, 'quoted', ''twice'' and o'clock",
    "\u201ccurly quotes\u201d and \u2018single ones\u2019: it\u2019s fine",
    "well-known state-of-the-art mother-in-law",
    "an em dash\u2014like this\u2014and an en dash \u2013 too",
    "wait... what?! no!!! (really)",
    "1 22 333 4444 55555 3.14159 1,000,000 -7 +5 1e-9 0x1F",
    "$9.99 costs 50% of \u20ac20 and \u00a35",
    "2026-11-30T14:05:00Z",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 co\u00f6perate \u00c5ngstr\u00f6m",
    "cafe\u0301 nai\u0308ve (accents that combine)",
    "stra\u00dfe STRASSE \u1e9e",
    "\u0130stanbul \u0131l\u0131k I\u015f\u0131k",
    "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u043b\u043a\u0430 \u0438 \u0439\u043e\u0433\u0443\u0440\u0442",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645\u060c 123 \u0661\u0662\u0663",
    "mixed \u05e2\u05d1\u05e8\u05d9\u05ea and English, \u200f\u202bmarked\u202c too",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 and \u30ab\u30bf\u30ab\u30ca",
    "\ud55c\uad6d\uc5b4 \ubb38\uc7a5",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22",
    "I \u2764 NY",
    "great film \U0001f600\U0001f44d",
    "\U0001f44d\U0001f3fd thumbs of a colour",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 a family joined",
    "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 flags",
    "\U0001d49c\U0001d4b7\U0001d4b8 letters beyond the first plane",
    "\ufb01nal o\ufb03ce \u2460 \u00bd x\u00b2 H\u2082O \uff21\uff22\uff23 full width",
    "tab\there, line\nbreak, carriage\r\nreturn",
    "  spaces  before,   between  and behind  ",
    "no\u00a0break\u2003em\u2009thin\u3000wide spaces",
    "zero\u200bwidth and\ufeff marks",
    "control\u0001characters\u0007 and \u0000 null",
    "soft\u00adhyphen",
    "replacement \ufffd character",
    "private \ue000 use",
    "http://example.org/path?query=1&other=two#part",
    "someone@example.org #hashtag @mention",
    "snake_case camelCase PascalCase kebab-case __dunder__",
    "for (int i = 0; i < n; ++i) { sum += x[i]; }",
    "<b>bold</b> &amp; [link](target) `code` ~tilde~ ^caret^ \\backslash|pipe",
    "[CLS] [SEP] [MASK] [PAD] [UNK] in the text",
    "<s> </s> <pad> <unk> <mask> <|endoftext|> in the text",
    "ALL CAPITALS AND MiXeD cAsE",
    "antidisestablishmentarianism supercalifragilisticexpialidocious",
    "zzxqj kwyjibo blorfing",
    "a" * 150,
    "ha" * 70,
    "one,two;three:four/five\\six",
    "Dr. Smith, Ph.D., of the U.S.A., vs. Mr. J. R. R. Tolkien",
    "e.g. 3-D, 24/7, A+, C++, C#, .NET, r&b",
    "long: " + "the film is good and the end is not, " * 12,
]

PAIRS = [
    ["is it good?", "it is a long, unfunny film."],
    ["", "only the second"],
    ["only the first", ""],
    ["caf\u00e9 \U0001f600", "\u05e9\u05dc\u05d5\u05dd it's"],
]


def byte_level(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    number = tokenizer.token_to_id
    # As RoBERTa's: the space before a word belongs to its piece and not to its range.
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", number("</s>")), ("<s>", number("<s>")), True, False)
    return tokenizer


def unigram(texts):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "<unk>", "<cls>", "<sep>", "<mask>"]
    trainer = trainers.UnigramTrainer(vocab_size=PIECES, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    number = tokenizer.token_to_id
    # As XLNet's: the special tokens stand behind.
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <sep>:0 <cls>:2",
        pair="$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
        special_tokens=[("<sep>", number("<sep>")), ("<cls>", number("<cls>"))],
    )
    return tokenizer


def padded(texts):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = [*("[PAD]", "[UNK]", "[CLS]", "[SEP]"), AddedToken("[MASK]", lstrip=True)]
    trainer = trainers.WordPieceTrainer(vocab_size=PIECES // 2, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    number = tokenizer.token_to_id
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", number("[SEP]")), ("[CLS]", number("[CLS]")))
    tokenizer.enable_truncation(max_length=24)
    tokenizer.enable_padding(length=32, pad_id=number("[PAD]"), pad_token="[PAD]")
    return tokenizer


def plain(vocabulary):
    """The rule of a plain vocabulary, by this package: a word is what the expression finds, in small letters."""
    tokenizer = Tokenizer(models.WordLevel({word: line for line, word in enumerate(vocabulary)}, unk_token=kim.UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(kim.WORD.pattern), "removed", invert=True)
    return tokenizer


def listed(encodings):
    return {
        "ids": [one.ids for one in encodings],
        "tokens": [one.tokens for one in encodings],
        "type_ids": [one.type_ids for one in encodings],
        "attention_mask": [one.attention_mask for one in encodings],
        "special_tokens_mask": [one.special_tokens_mask for one in encodings],
        "offsets": [[list(pair) for pair in one.offsets] for one in encodings],
        "word_ids": [one.word_ids for one in encodings],
        "sequence_ids": [one.sequence_ids for one in encodings],
    }


def digest(tokenizer, texts):
    """SHA-256 of, for each sentence: how many tokens, their numbers, and start and end of each; all as 32 bits, little-endian."""
    found = hashlib.sha256()
    for text in texts:
        one = tokenizer.encode(text)
        numbers = [len(one.ids), *one.ids, *(place for pair in one.offsets for place in pair)]
        found.update(struct.pack(f"<{len(numbers)}I", *numbers))
    return {"sentences": len(texts), "sha256": found.hexdigest()}


def write(name, tokenizer, texts, file):
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    expected = {
        "tokenizer": file,
        "sentences": SENTENCES,
        **listed([tokenizer.encode(text) for text in SENTENCES]),
        "pairs": {"sentences": PAIRS, **listed([tokenizer.encode(*pair) for pair in PAIRS])},
        "digest": digest(tokenizer, texts),
    }
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=True, separators=(',', ':'))}" for key, value in expected.items())
    (folder / "expected.json").write_text(f"{{\n{lines}\n}}\n")
    print(f"{name}: {tokenizer.get_vocab_size()} pieces")


def make():
    found = reviews.all_of_them(sources.cache())
    FOLDER.mkdir(exist_ok=True)
    every = [review.readable for review in found]
    texts = every[:: len(every) // COUNT][:COUNT]
    (FOLDER / "sentences.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    for name, train in {"byte_level_bpe": byte_level, "unigram": unigram, "wordpiece_padded": padded}.items():
        file = FOLDER / name / "tokenizer.json"
        if not file.exists():
            # The package's trainers break ties by chance: what has been trained stays, unless it is deleted.
            file.parent.mkdir(exist_ok=True)
            train(every).save(str(file), pretty=False)
        tokenizer = Tokenizer.from_file(str(file))
        write(name, tokenizer, texts, f"tests/fixtures/tokenizers/{name}/tokenizer.json")
    file = PAGE / "minilm_reviews" / "tokenizer.json"
    write("minilm", Tokenizer.from_file(str(file)), texts, "www/public/models/minilm_reviews/tokenizer.json")
    file = PAGE / kim.NAME / "vocabulary.txt"
    write("plain", plain(file.read_text(encoding="utf-8").split("\n")[:-1]), texts, f"www/public/models/{kim.NAME}/vocabulary.txt")


if __name__ == "__main__":
    make()
