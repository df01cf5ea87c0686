"""Data sets (A, y): bundled with scikit-learn, read from LIBSVM files, or drawn."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
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
    "rcv1_train.binary": (20242, 47236, "labels -1 and 1; the 2000 columns with most entries are kept"),
    "real-sim": (72309, 20958, "labels -1 and 1; the 2000 columns with most entries are kept"),
    "mnist.scale": (60000, 780, "labels 0 to 9, made binary as even against odd"),
}
WIDE = 2000  # columns kept of a file that is too large as a dense matrix
VARIABLE = "SAMPLINGTHEORY_DATA"  # folders and files, separated as in PATH


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


def libsvm(path: str | os.PathLike[str], even_or_odd: bool = False, wide: int | None = None) -> Labelled:
    """A two-class file in LIBSVM format (also .gz, .bz2) as a dense A; the larger label becomes +1.

    even_or_odd makes two classes of whole labels: +1 even, -1 odd. `wide`: how many columns, those with most entries,
    are kept of a file that is too large as a dense matrix; None: it is refused.
    FileNotFoundError without the file, ValueError for anything that is not such a file. Columns stay as
    stored: see `standardise`.
    """
    A, labels = _read(os.fspath(path))
    if wide is not None and A.shape[0] * A.shape[1] > ENTRIES:
        A = A[:, np.sort(np.argsort(-A.getnnz(axis=0), kind="stable")[:wide])]
    A = _dense(os.fspath(path), A, labels)
    return A, np.where(labels % 2 == 0, 1.0, -1.0) if even_or_odd else _signs(os.fspath(path), labels)


def _read(name: str) -> tuple[Any, Array]:
    from sklearn.datasets import load_svmlight_file

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
    return A, labels


def given_sets() -> dict[str, str]:
    """Name and SHA-256 of every data file that SAMPLINGTHEORY_DATA names: sets of PAPER_SETS in its folders (also
    .bz2, .gz), and its files, whatever their names. ValueError: it names something that is not there."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _given().items()}


def given_set(name: str, checksum: str | None = None) -> Labelled:
    """A set that SAMPLINGTHEORY_DATA names, columns standardised, labels -1 and +1.

    ValueError: no such set, another file than the one with that checksum, or not the number of features that
    PAPER_SETS has for it. A file that is too large as a dense matrix keeps the WIDE columns with most entries.
    """
    known = _given()
    if name not in known:
        raise ValueError(f"no data set {name!r} is given: name its file, or a folder with it, in the environment variable "
                         f"{VARIABLE} (given now: {', '.join(known) or 'none'}; the papers': {', '.join(PAPER_SETS)})")
    path = known[name]
    if checksum is not None and hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
        raise ValueError(f"{path} is another file than the one that was given first; put the same file on all machines")
    A, y = libsvm(path, name.startswith("mnist"), WIDE)
    N, d, _ = PAPER_SETS.get(name, (*A.shape, ""))
    if A.shape[1] != (d if len(A) * d <= ENTRIES else WIDE):
        raise ValueError(f"{path} has {A.shape[1]} features; {name} has {d} (and about {N} samples): is it that set?")
    return standardise(A), y


def _given() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(place)
        if path.is_dir():
            files = [(name, path / (name + end)) for name in PAPER_SETS for end in (".gz", ".bz2", "")]
            found |= {name: file for name, file in files if file.is_file()}
        elif path.is_file():
            found[path.name.removesuffix(".bz2").removesuffix(".gz")] = path
        else:
            raise ValueError(f"{VARIABLE} names {place}, and there is no such file or folder")
    return found


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
