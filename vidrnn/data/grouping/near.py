"""Near pictures among very many, in time that grows nearly with their number.

Comparing each picture with each other one takes hours from some ten thousand films on. Here random trees put pictures
into leaves, and only those that meet in a leaf are compared. A tree parts two near pictures now and then, and all trees
part them hardly ever: Dasgupta and Freund, "Random projection trees and low dimensional manifolds", STOC 2008. This
module knows arrays only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pairs = Callable[[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]], NDArray[np.bool_]]
"""(pairs,) one film, (pairs,) the other, (pairs,) the mean squared difference of two pictures -> which films belong
together."""

TREES = 8
_LEAF = 256
"""Pictures of a leaf, at most."""
_DIRECTIONS = 24
_SAMPLE = 20_000


@dataclass(frozen=True)
class Pictures:
    """The pictures of films, and their places in the directions in which pictures differ most."""

    pixels: NDArray[np.uint8]
    """(pictures, pixels)"""
    owners: NDArray[np.intp]
    """(pictures,) the film of each."""
    places: NDArray[np.float32]
    """(pictures, directions): no two are further apart in them than in the pixels."""

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], owners: NDArray[np.intp]) -> Pictures:
        """The directions are those of a sample."""
        if not len(pixels):
            return cls(pixels, owners, np.zeros((0, 1), np.float32))
        step = max(1, len(pixels) // _SAMPLE)
        sample = pixels[::step].astype(np.float32)
        middle = sample.mean(axis=0)
        _, directions = np.linalg.eigh((sample - middle).T @ (sample - middle))
        chosen = directions[:, ::-1][:, :_DIRECTIONS].astype(np.float32)
        places = np.empty((len(pixels), chosen.shape[1]), np.float32)
        for start in range(0, len(pixels), _SAMPLE):
            places[start : start + _SAMPLE] = (pixels[start : start + _SAMPLE] - middle) @ chosen
        return cls(pixels, owners, places)

    def clusters(self, films: int, limit: float, belong: Pairs, seed: int = 0) -> NDArray[np.intp]:
        """(films,): the first film of each film's cluster. A chain of films that belong together is one cluster.

        Args:
            films: their number.
            limit: the largest root mean square difference of two pictures that are compared.
            belong: which films with near pictures belong together.
            seed: of the trees.
        """
        roots = np.arange(films)
        if not len(self.pixels):
            return roots
        rng = np.random.default_rng(seed)
        for _ in range(TREES):
            for leaf in self._leaves(np.arange(len(self.pixels)), rng):
                for one, other in self._pairs(leaf, roots, limit, belong):
                    _join(roots, one, other)
            roots = _settled(roots)
        return roots

    def _leaves(self, inside: NDArray[np.intp], rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
        """The leaves of one tree: halves of halves, each parted across the line between two pictures."""
        waiting = [inside]
        while waiting:
            some = waiting.pop()
            if len(some) <= _LEAF:
                yield some
                continue
            one, other = self.places[rng.choice(some, 2, replace=False)]
            along = self.places[some] @ (one - other)
            along += rng.uniform(0, 1e-3, len(some)).astype(np.float32)  # pictures that are equal part evenly
            order = np.argpartition(along, cut := int(len(some) * rng.uniform(0.35, 0.65)))
            waiting += [some[order[:cut]], some[order[cut:]]]

    def _pairs(
        self, leaf: NDArray[np.intp], roots: NDArray[np.intp], limit: float, belong: Pairs
    ) -> Iterator[tuple[int, int]]:
        """Films of a leaf that belong together and are not joined yet."""
        owners, places = self.owners[leaf], self.places[leaf]
        squares = (places**2).sum(axis=1)
        apart = squares[:, None] + squares[None, :] - 2 * (places @ places.T)
        most = limit**2 * self.pixels.shape[1]
        joined = _settled(roots, owners)
        first, second = np.nonzero(np.triu((apart < most * 1.001 + 1) & (joined[:, None] != joined[None, :]), 1))
        for start in range(0, len(first), _SAMPLE):
            some, others = leaf[first[start : start + _SAMPLE]], leaf[second[start : start + _SAMPLE]]
            difference = self.pixels[some].astype(np.float32) - self.pixels[others]
            squared = np.square(difference).mean(axis=1)
            near = squared < limit**2
            films = self.owners[some[near]], self.owners[others[near]]
            kept = belong(*films, squared[near])
            yield from zip(films[0][kept].tolist(), films[1][kept].tolist(), strict=True)


def _root(roots: NDArray[np.intp], film: int) -> int:
    while (above := int(roots[film])) != film:
        roots[film] = roots[above]
        film = above
    return film


def _join(roots: NDArray[np.intp], one: int, other: int) -> None:
    """Join two clusters under their first film."""
    one, other = _root(roots, one), _root(roots, other)
    roots[max(one, other)] = min(one, other)


def _settled(roots: NDArray[np.intp], films: NDArray[np.intp] | None = None) -> NDArray[np.intp]:
    """The root of each of the films, or of all."""
    found = roots if films is None else roots[films]
    while not np.array_equal(above := roots[found], found):
        found = above
    return found.copy()
