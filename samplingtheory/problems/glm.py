"""What generalised linear models share: F(x) = (1/N) sum_i loss(a_i'x, y_i) + (ridge/2)|x|^2.

Sample gradients g_i = s_i a_i + ridge x, with s_i = d loss/dz at z = a_i'x, are never put in a table of N x d
(or n x d) entries: see rows.py and factored.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np

from ..moments import Array, dot, is_number
from .base import Batch, Chance, Every, follow, least_size
from .factored import Factored
from .finite import added_counts, draw_batch
from .rows import Data, Parts, Rows, Table, draw_parts, pieces, whole_data

ATOMS = 2e7  # entries of the explicit table of sample gradients


class LinearModel:
    """What the two losses share; a loss adds `slope`, `difference`, `gap`, `constants`, `gap_error`.

    A (N, d), y (N,), drawn with or without replacement. `constants` and `gap_error` are computed when first
    read: they cost O(N d^2).
    """

    constants: Any

    def __init__(self, A: Any, y: Any, ridge: float, replace: bool = False) -> None:
        try:
            A = np.ascontiguousarray(A.toarray() if hasattr(A, "toarray") else A, dtype=float)
            y = np.asarray(y, dtype=float)
        except (TypeError, ValueError):
            raise ValueError("A or y is no array of numbers; need (N, d) and (N,), one row a sample") from None
        if A.ndim != 2 or y.shape != A.shape[:1] or A.size == 0:
            raise ValueError(f"A has shape {A.shape} and y {y.shape}; need (N, d) and (N,), one row a sample")
        if not (np.isfinite(A).all() and np.isfinite(y).all()):
            raise ValueError("A or y holds NaN or infinite values; drop or repair them first")
        if not (is_number(ridge) and 0 <= ridge < math.inf):
            raise ValueError(f"ridge is {ridge}; give a finite number, at least 0")
        self.data, self.y, self.ridge, self.replace = Data(A), y, float(ridge), replace
        self.size, self.dim = A.shape
        self.population = math.inf if replace else self.size

    def slope(self, z: Array, y: Array) -> Array:
        """s = d loss/dz at the predictions z, which it may overwrite."""
        raise NotImplementedError

    def difference(self, z: Array, y: Array, dz: Array) -> Array:
        """loss(z + dz, y) - loss(z, y), without cancellation."""
        raise NotImplementedError

    def gradient(self, x: Array) -> Array:
        """grad F(x), (R, d)."""
        sums = np.empty_like(x)
        for r, rows in whole_data(self.data, len(x)):
            sums[r] = rows.combine(self.slope(rows.project(x[r]), self.y), self.data.A)
        return sums / self.size + self.ridge * x

    def _moments(self, parts: Parts, x: Array, **known: Any) -> Factored:
        def slopes(rows: Rows, r: slice) -> Array:
            return self.slope(rows.project(x[r]), rows.at(self.y))
        return Factored(parts, slopes, self.ridge * x, **known, population=self.population)

    @cached_property
    def step_error(self) -> float:
        """Gap that the rounding of a gradient leaves after a step 1/L; 0 where no minimiser is known.

        Near the minimiser each entry of the mean of s_i a_i is known to about 1e-15 of the largest term, in which the
        prediction z_i carries an error of its own (s changes by at most z's).
        """
        x = self.constants.minimiser
        if x is None:
            return 0.0
        z = self.data.A @ x
        terms = (np.abs(self.slope(z.copy(), self.y)) + np.abs(z)) * np.abs(self.data.A).max(1)
        return float(self.dim * (1e-15 * terms.max()) ** 2 / (2 * self.constants.L))

    def law(self, x: Array) -> Factored:
        """Exact moments of one sample gradient; variances with N/(N - 1) when drawn without replacement."""
        endless, size = np.full(len(x), math.inf), np.full(len(x), float(self.size))
        scale = 1.0 if self.replace or self.size == 1 else self.size / (self.size - 1)
        return self._moments(whole_data(self.data, len(x)), x, size=size, scale=scale, n=endless, dof=endless)

    def atoms(self, x: Array) -> tuple[Array, Array]:
        """All sample gradients (R, N, d) and their probabilities 1/N; only where the table is small."""
        if len(x) * self.data.A.size > ATOMS:
            raise ValueError(
                f"{len(x)} x {self.size} x {self.dim} sample gradients have more than {ATOMS:.0e} entries; "
                "use law, and draw with a Monte Carlo rng"
            )
        s = self.slope(Table(self.data).project(x), self.y)
        return s[..., None] * self.data.A + self.ridge * x[:, None, :], np.full(self.size, 1 / self.size)

    def draw(self, x: Array, n: Array, rng: Chance, batch: Batch | None = None) -> Batch:
        """A uniform batch of n[r] samples a replicate; with EVERY all of them, from a list of all gradients (`atoms`).

        Given `batch`, its extensions. Drawn batches tell their counts (R, N) only when asked.
        """
        if isinstance(rng, Every):
            def value(parent: Array | None, counts: Array) -> Callable[[Array], Array]:
                parts: Parts = [(slice(0, len(counts)), Table(self.data, counts))]
                return self._value(parts, follow(x, parent), counts.sum(-1))
            return draw_batch(*self.atoms(x), n, self.population, rng, value, batch)
        n = least_size(n, self.population)
        if batch is None:
            parts, drawn = draw_parts(self.data, n, rng, self.replace), n
        else:
            parts, drawn = self._extension(n, rng, batch)
        m = self._moments(parts, x, size=n, scale=n / np.maximum(n - 1, 1), n=n, dof=n - 1)
        return Batch(m, drawn, value=self._value(parts, x, n), blocks=self._blocks(parts, x, rng),
                     counts=lambda: self._counts(parts, len(x)))

    def _counts(self, parts: Parts, R: int) -> Array:
        """How often each row of the data is held, (R, N)."""
        return np.concatenate([rows.held(len(range(R)[r])) for r, rows in parts])

    def _extension(self, n: Array, rng: np.random.Generator, batch: Batch) -> tuple[Parts, Array]:
        """The rows of a batch grown to n[r] samples, and what was paid for them."""
        held = np.asarray(batch.held)
        more = np.maximum(n - held.sum(1), 0).astype(int)
        p = np.full(self.size, 1 / self.size) if self.replace else None
        counts = held + added_counts(held, more, rng, p)
        parts: Parts = [(r, Table(self.data, counts[r])) for r in pieces(len(n), self.size)]
        return parts, np.asarray(batch.drawn) + more

    def _blocks(self, parts: Parts, x: Array, rng: np.random.Generator) -> Callable[[int], Array]:
        def means(B: int) -> Array:
            out = np.empty((len(x), B, self.dim))
            for r, rows in parts:
                for b, (part, size) in enumerate(rows.split(len(x[r]), B, rng)):
                    s = self.slope(part.project(x[r]), part.at(self.y))
                    out[r, b] = part.combine(s, self.data.A) / size[:, None]
            return out + self.ridge * x[:, None, :]
        return means

    def _value(self, parts: Parts, x: Array, n: Array) -> Callable[[Array], Array]:
        predictions = cache(lambda i: parts[i][1].project(x[parts[i][0]]))

        def difference(y: Array) -> Array:
            move, rises = y - x, np.empty(len(x))
            for i, (r, rows) in enumerate(parts):
                rises[r] = rows.add(self.difference(predictions(i), rows.at(self.y), rows.project(move[r])))
            return rises / n + self.ridge * dot((x + y) / 2, move)
        return difference

    def _fine_gradient(self, x: Array) -> Array:
        """grad F(x) for one point (d,), in extended precision where the machine has it, by row blocks."""
        wide = x.astype(np.longdouble)
        total = np.zeros(self.dim, dtype=np.longdouble)
        for b in pieces(self.size, self.dim):
            A = self.data.A[b].astype(np.longdouble)
            total += self.slope(A @ wide, self.y[b].astype(np.longdouble)) @ A
        return np.asarray(total / self.size + self.ridge * wide)

    def _polish(self, x: Array, solve: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Iterative refinement of a minimiser: the best point and its gradient, as float64."""
        best = x, self._fine_gradient(x)
        for _ in range(3):
            x = x - solve(best[1].astype(float))
            g = self._fine_gradient(x)
            if not dot(g, g) < dot(best[1], best[1]):
                break
            best = x, g
        return best[0], best[1].astype(float)
