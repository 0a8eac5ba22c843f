"""Near-duplicates: MinHash signatures, looked up by locality-sensitive hashing.

The text is cut into overlapping runs of characters, which suits English and Chinese alike. A prompt is a
near-duplicate of one that is kept already; since prompts come in an order that the input cannot change, so does
the outcome. Permutations and signatures are those of `datasketch` (a test compares them); its index is not used,
since that holds some 5 KB of Python objects a prompt, and this one about 0.5 KB of numbers.
"""

import re
from array import array
from typing import NamedTuple

import numpy as np

from sampling.selection.drafts import digest
from sampling.selection.settings import NearDuplicateSettings

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# Multipliers of a polynomial hash over code points, and a final mix (wrap-around is meant).
BASE, MIX = np.uint32(0x01000193), np.uint32(0x85EBCA6B)
MAX_CHARACTERS = 4000
# Two texts of similarity s share a band of 8 values with probability s^8; with 16 bands of 128 values in all, a pair
# of similarity 0.8 is looked at with probability 0.95, one of 0.9 with more than 0.9999.
BAND_VALUES = 8
FIRST_BUCKETS = 1 << 12
CHUNK_ROWS = 1 << 12


class Signature(NamedTuple):
    """A text's MinHash values, and the hash of each of their bands."""

    values: np.ndarray
    bands: np.ndarray


class NearDuplicates:
    """The kept prompts' signatures; `find` looks a text up among them, `keep` adds it."""

    def __init__(self, settings: NearDuplicateSettings) -> None:
        from datasketch import MinHash

        self.settings = settings
        factors, terms = MinHash(settings.permutations, seed=1, scheme="affine32").permutations
        self._factors, self._terms = factors[:, None], terms[:, None]
        self._index = BandIndex(max(1, settings.permutations // BAND_VALUES))
        self._signatures: list[np.ndarray] = []  # chunks of CHUNK_ROWS signatures, 16 bits of each value
        self._ids: list[str] = []
        self._numbers = array("Q")

    def signature(self, text: str) -> Signature:
        """The MinHash of a normalised text: the values that MinHash.update_batch gives for its runs."""
        hashes = mixed(shingle_hashes(text, self.settings.shingle_characters))
        # A row a permutation: its minimum is found along the memory.
        permuted = self._factors * hashes
        permuted += self._terms
        values = permuted.min(axis=1)
        return Signature(values, self._index.band_hashes(values))

    def find(self, text: str, signature: Signature, *, numbers_count: bool) -> str | None:
        """The id of the kept prompt that the text nearly equals (the most alike, then the first), or None.

        numbers_count: texts with different numbers are different, however alike the rest is.
        """
        short = signature.values.astype(np.uint16)
        numbers = numbers_digest(text) if numbers_count else 0
        best: tuple[float, int] | None = None
        for row in self._index.query(signature.bands):
            similarity = float(
                np.count_nonzero(self._signatures[row // CHUNK_ROWS][row % CHUNK_ROWS] == short)
            )
            similarity /= len(short)
            if similarity < self.settings.threshold or (numbers_count and self._numbers[row] != numbers):
                continue
            if best is None or (-similarity, row) < best:
                best = (-similarity, row)
        return self._ids[best[1]] if best else None

    def keep(self, prompt_id: str, text: str, signature: Signature) -> None:
        """Adds a kept prompt."""
        row = len(self._ids)
        if row % CHUNK_ROWS == 0:
            self._signatures.append(np.empty((CHUNK_ROWS, len(signature.values)), dtype=np.uint16))
        self._signatures[-1][row % CHUNK_ROWS] = signature.values.astype(np.uint16)
        self._ids.append(prompt_id)
        self._numbers.append(numbers_digest(text))
        self._index.insert(signature.bands)


class BandIndex:
    """For each band of a signature a hash table whose buckets are chains of rows, all in arrays of numbers."""

    def __init__(self, bands: int) -> None:
        self._bands = np.arange(bands)
        # Odd numbers without pattern; the values that they multiply are well mixed already.
        self._multipliers = mixed(np.arange(1, 1025, dtype=np.uint32)) | np.uint32(1)
        self._count = 0
        self._hashes = np.empty((0, bands), dtype=np.uint32)
        self._next = np.empty((0, bands), dtype=np.int32)
        self._heads = np.full((bands, FIRST_BUCKETS), -1, dtype=np.int32)

    def insert(self, hashes: np.ndarray) -> None:
        """Adds a signature, by its band hashes, as the next row."""
        if self._count == len(self._hashes):
            self._grow()
        buckets = hashes & np.uint32(self._heads.shape[1] - 1)
        self._hashes[self._count] = hashes
        self._next[self._count] = self._heads[self._bands, buckets]
        self._heads[self._bands, buckets] = self._count
        self._count += 1

    def query(self, hashes: np.ndarray) -> list[int]:
        """Rows that share a band hash, in their order."""
        bands = self._bands
        rows = self._heads[bands, hashes & np.uint32(self._heads.shape[1] - 1)]
        found: set[int] = set()
        while True:
            there = rows >= 0
            if not there.any():
                return sorted(found)
            bands, rows, hashes = bands[there], rows[there], hashes[there]
            found.update(rows[self._hashes[rows, bands] == hashes].tolist())
            rows = self._next[rows, bands]

    def band_hashes(self, values: np.ndarray) -> np.ndarray:
        """One number for each band of a signature's values."""
        width = len(values) // len(self._bands)
        values = values[: width * len(self._bands)].reshape(len(self._bands), width)
        return mixed((values * self._multipliers[:width]).sum(axis=1, dtype=np.uint32))

    def _grow(self) -> None:
        """Twice the rows, and buckets to match; chains are made anew."""
        rows = max(FIRST_BUCKETS, 2 * len(self._hashes))
        bands = len(self._bands)
        self._hashes = np.concatenate(
            [self._hashes, np.empty((rows - len(self._hashes), bands), dtype=np.uint32)]
        )
        self._next = np.full((rows, bands), -1, dtype=np.int32)
        self._heads = np.full((bands, 2 * rows), -1, dtype=np.int32)
        for band in range(bands):
            buckets = self._hashes[: self._count, band] & np.uint32(2 * rows - 1)
            order = np.argsort(buckets, kind="stable")
            same = buckets[order[1:]] == buckets[order[:-1]]
            self._next[order[1:][same], band] = order[:-1][same]
            self._heads[band, buckets] = -1
            last = np.append(~same, True) if len(order) else np.empty(0, dtype=bool)
            self._heads[band, buckets[order[last]]] = order[last]


def shingle_hashes(text: str, length: int) -> np.ndarray:
    """32-bit hashes of all runs of `length` characters; a shorter text is one run. Very long texts are cut."""
    points = np.frombuffer(text[:MAX_CHARACTERS].encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    if len(points) < length:
        points = np.concatenate([points, np.zeros(length - len(points), dtype=np.uint32)])
    windows = len(points) - length + 1
    hashes = np.zeros(windows, dtype=np.uint32)
    for offset in range(length):
        hashes = hashes * BASE + points[offset : offset + windows]
    return hashes * MIX


def mixed(hashes: np.ndarray) -> np.ndarray:
    """MurmurHash3's 32-bit finalizer, which datasketch applies before its permutations."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


def numbers_digest(text: str) -> int:
    """A number that stands for the numbers of a text, in their order."""
    return digest(*NUMBER.findall(text))
