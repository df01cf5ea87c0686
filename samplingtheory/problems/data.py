"""Data sets (A, y): bundled with scikit-learn, read from LIBSVM files, or drawn."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..moments import Array
from ..seeds import Seedable, generator

ENTRIES = 5e8  # entries of a dense matrix (4 GB) that `libsvm` agrees to build

Labelled = tuple[Array, Array]

# LIBSVM files that the papers of the field use: file name -> (N, d, what to expect in it)
PAPER_SETS: dict[str, tuple[int, int, str]] = {
    "mushrooms": (8124, 112, "labels 1 and 2, binary features"),
    "covtype.libsvm.binary.scale": (581012, 54, "labels 1 and 2, features in [0, 1]"),
    "ijcnn1": (49990, 22, "labels -1 and 1; the papers use 35000 of its samples"),
    "gisette_scale": (6000, 5000, "labels -1 and 1, features in [-1, 1]"),
    "rcv1_train.binary": (20242, 47236, "labels -1 and 1; needs 7.6 GB as a dense matrix, above the limit"),
    "real-sim": (72309, 20958, "labels -1 and 1; needs 12 GB as a dense matrix, above the limit"),
    "mnist.scale": (60000, 780, "labels 0 to 9, made binary as even against odd"),
}


def standardise(A: Array) -> Array:
    """Columns with mean 0 and variance 1 (divisor N); constant columns are dropped."""
    A = np.asarray(A, dtype=float)
    A = A[:, np.ptp(A, axis=0) > 0]
    centred = A - A.mean(0)
    return np.ascontiguousarray(centred / np.sqrt((centred**2).mean(0)))


def _evenly(A: Array, y: Array, subset: int | None) -> Labelled:
    """Standardised columns of all samples, or of `subset` of them, evenly spaced in the file."""
    if subset is not None:
        if not 2 <= subset <= len(A):
            raise ValueError(f"subset is {subset}; this data set has {len(A)} samples, take 2 to {len(A)}")
        rows = np.linspace(0, len(A) - 1, subset).round().astype(int)
        A, y = A[rows], y[rows]
        if len(np.unique(y)) < 2:
            raise ValueError(f"these {subset} samples are all of one class; take a larger subset")
    return standardise(A), y


def breast_cancer(subset: int | None = None) -> Labelled:
    """Breast cancer, Wisconsin (N = 569, d = 30), columns standardised; y = +1 benign, -1 malignant."""
    from sklearn.datasets import load_breast_cancer

    A, target = load_breast_cancer(return_X_y=True)
    return _evenly(A, np.where(target == 1, 1.0, -1.0), subset)


def digits(subset: int | None = None) -> Labelled:
    """Handwritten digits, 8 x 8 (N = 1797, d = 61), columns standardised; y = +1 even, -1 odd."""
    from sklearn.datasets import load_digits

    A, target = load_digits(return_X_y=True)
    return _evenly(A, np.where(target % 2 == 0, 1.0, -1.0), subset)


def diabetes() -> Labelled:
    """Diabetes progression (N = 442, d = 10): columns and y standardised; a regression."""
    from sklearn.datasets import load_diabetes

    A, target = load_diabetes(return_X_y=True)
    return standardise(A), standardise(target[:, None])[:, 0]


def libsvm(path: str | os.PathLike[str], even_or_odd: bool = False) -> Labelled:
    """A two-class file in LIBSVM format (also .gz, .bz2) as a dense A; the larger label becomes +1.

    even_or_odd makes two classes of whole labels: +1 even, -1 odd.
    FileNotFoundError without the file, ValueError for anything that is not such a file. Columns stay as
    stored: see `standardise`.
    """
    from sklearn.datasets import load_svmlight_file

    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileNotFoundError(f"no file {name}; give the path of a file in LIBSVM format")
    try:
        if os.path.getsize(name) == 0:
            raise ValueError("the file is empty")
        A, labels = load_svmlight_file(name)
    except (OSError, EOFError) as error:
        raise ValueError(f"cannot read {name}: {_line(error)}") from error
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is not in LIBSVM format (label index:value ...): {_line(error)}") from error
    A = _dense(name, A, labels)
    return A, np.where(labels % 2 == 0, 1.0, -1.0) if even_or_odd else _signs(name, labels)


def _folder() -> str | None:
    return os.environ.get("SAMPLINGTHEORY_DATA")


def paper_sets_given() -> list[str]:
    """Names in PAPER_SETS whose file is in the folder that SAMPLINGTHEORY_DATA names (also .bz2, .gz)."""
    folder = _folder()
    return [] if folder is None else [name for name in PAPER_SETS if _found(folder, name)]


def _found(folder: str, name: str) -> str | None:
    paths = (os.path.join(folder, name + end) for end in ("", ".bz2", ".gz"))
    return next((path for path in paths if os.path.isfile(path)), None)


def paper_set(name: str) -> Labelled:
    """A set of PAPER_SETS from the folder SAMPLINGTHEORY_DATA, columns standardised, labels -1 and +1.

    ValueError: unknown name, no folder, no file, or another number of features than the papers'.
    """
    if name not in PAPER_SETS:
        raise ValueError(f"no set is called {name!r}; known: {', '.join(PAPER_SETS)}")
    path = None if _folder() is None else _found(str(_folder()), name)
    if path is None:
        raise ValueError(f"no file {name} (or .bz2, .gz): put it in a folder and name the folder in the environment "
                         "variable SAMPLINGTHEORY_DATA")
    A, y = libsvm(path, even_or_odd=name.startswith("mnist"))
    N, d, _ = PAPER_SETS[name]
    if A.shape[1] != d:
        raise ValueError(f"{path} has {A.shape[1]} features; {name} has {d} (and about {N} samples): is it that set?")
    return standardise(A), y


def _line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def _dense(name: str, A: Any, labels: Array) -> Array:
    N, d = A.shape
    if N == 0 or d == 0 or A.nnz == 0:
        raise ValueError(f"{name} has {N} samples and {A.nnz} nonzero features; nothing to fit")
    if N * d > ENTRIES:
        raise ValueError(f"{name} is {N} x {d}; above {ENTRIES:.0e} entries, too large for a dense matrix")
    if not (np.isfinite(A.data).all() and np.isfinite(labels).all()):
        raise ValueError(f"{name} holds NaN or infinite values; drop or repair those samples first")
    return A.toarray()


def _signs(name: str, labels: Array) -> Array:
    values = np.unique(labels)
    if len(values) != 2:
        shown = ", ".join(f"{v:g}" for v in values[:4]) + (", ..." if len(values) > 4 else "")
        raise ValueError(f"{name} has {len(values)} different labels ({shown}); two classes are needed")
    return np.where(labels == values[1], 1.0, -1.0)


def _shape(N: int, d: int) -> None:
    if not (N >= 1 and d >= 1 and int(N) == N and int(d) == d):
        raise ValueError(f"N = {N}, d = {d}; both must be whole numbers, at least 1")


def synthetic_classification(N: int, d: int, rng: Seedable = 0) -> Labelled:
    """a_i ~ N(0, I), P(y_i = +1) = 1/(1 + exp(-a_i'w)), w of length 3 in a uniform direction."""
    _shape(N, d)
    rng = generator(rng)
    A, w = rng.standard_normal((N, d)), rng.standard_normal(d)
    chance = 1 / (1 + np.exp(-A @ (3 * w / np.linalg.norm(w))))
    return A, np.where(rng.random(N) < chance, 1.0, -1.0)


def synthetic_regression(N: int, d: int, rng: Seedable = 0, noise: float = 1.0, outliers: float = 0.0) -> Labelled:
    """a_i ~ N(0, I), y_i = a_i'w + noise N(0, 1), w of length 1 in a uniform direction.

    `outliers` is the share of samples whose y_i is N(0, 100) instead.
    """
    _shape(N, d)
    if not (noise >= 0 and np.isfinite(noise)):
        raise ValueError(f"noise is {noise}; give a finite standard deviation, at least 0")
    if not 0 <= outliers < 1:
        raise ValueError(f"outliers is {outliers}; give a share, at least 0 and below 1")
    rng = generator(rng)
    A, w = rng.standard_normal((N, d)), rng.standard_normal(d)
    y = A @ (w / np.linalg.norm(w)) + noise * rng.standard_normal(N)
    bad = slice(0, round(outliers * N))  # rows are exchangeable
    y[bad] = 10 * rng.standard_normal(len(y[bad]))
    return A, y
