"""Bundled, stored and drawn data: shapes, scaling, and one clear line for every file that is no data set."""

import os

import numpy as np
import pytest
from scipy.stats import binom

from samplingtheory.problems import data
from samplingtheory.problems.data import (
    breast_cancer,
    diabetes,
    digits,
    libsvm,
    standardise,
    synthetic_classification,
    synthetic_regression,
)
from samplingtheory.problems.regression import LogisticRegression

BUNDLED = [(breast_cancer, (569, 30), 357), (digits, (1797, 61), 891)]


@pytest.mark.parametrize(("load", "shape", "positive"), BUNDLED)
def test_bundled_data(load, shape, positive):
    A, y = load()
    assert A.shape == shape and set(y) == {-1.0, 1.0} and (y > 0).sum() == positive
    np.testing.assert_allclose(A.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose((A * A).mean(0), 1, rtol=1e-12)
    assert A.flags.c_contiguous


def test_diabetes():
    A, y = diabetes()
    assert A.shape == (442, 10) and y.shape == (442,) and len(np.unique(y)) > 100
    np.testing.assert_allclose(np.append((A * A).mean(0), (y * y).mean()), 1, rtol=1e-12)
    np.testing.assert_allclose(np.append(A.mean(0), y.mean()), 0, atol=1e-12)


def test_outliers():
    """A share of the labels is replaced, the rest and the rows stay as they are."""
    (A, y), (B, z) = (synthetic_regression(200, 3, 7, 0.5, share) for share in (0.0, 0.1))
    assert (A == B).all() and (y != z).sum() == 20 and np.abs(z[y != z]).max() > 8
    with pytest.raises(ValueError, match="outliers is 1"):
        synthetic_regression(9, 3, 7, outliers=1.0)


def test_certified_constants_of_the_bundled_data():
    for load, L in ((breast_cancer, 3.3222), (digits, 1.8357)):
        problem = LogisticRegression(*load())
        assert problem.constants.L == pytest.approx(L, abs=1e-4)
        assert problem.constants.mu == 1 / problem.size
        assert problem.constants.residual < 1e-15 and problem.gap_error < 1e-26


def test_subsets_hold_both_classes():
    A, y = breast_cancer(12)
    assert len(A) == 12 and set(y) == {-1.0, 1.0}
    np.testing.assert_allclose((A * A).mean(0), 1, rtol=1e-12)
    assert digits(6)[0].shape[0] == 6
    for bad in (1, 570):
        with pytest.raises(ValueError, match="569 samples, take 2 to 569"):
            breast_cancer(bad)


def test_standardise_drops_constant_columns():
    A = standardise([[1.0, 5.0, 0.1], [2.0, 5.0, 0.1], [3.0, 5.0, 0.4]])
    assert A.shape == (3, 2)
    np.testing.assert_allclose(A[:, 0], np.array([-1, 0, 1]) * np.sqrt(1.5))


def test_synthetic_data_follow_the_rng():
    for make in (synthetic_classification, synthetic_regression):
        A, y = make(30, 4, 7)
        B, z = make(30, 4, np.random.default_rng(7))
        assert A.shape == (30, 4) and y.shape == (30,)
        assert np.array_equal(A, B) and np.array_equal(y, z) and not np.array_equal(A, make(30, 4, 8)[0])
        with pytest.raises(ValueError, match="whole numbers"):
            make(0, 4)
    A, y = synthetic_regression(20, 3, noise=0.0)
    w = np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(A @ w, y, atol=1e-12)
    assert np.linalg.norm(w) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="noise is -1"):
        synthetic_regression(20, 3, noise=-1)


def test_synthetic_labels_follow_the_margin():
    """With d = 1, |w| = 3: agreement of y with sign(a w) is binomial; error level 1e-6 both ways."""
    A, y = synthetic_classification(20000, 1, 3)
    chance = (1 / (1 + np.exp(-3 * np.abs(A[:, 0])))).mean()
    agree = max((y == np.sign(A[:, 0])).sum(), (y == -np.sign(A[:, 0])).sum())
    low, high = binom.ppf([5e-7, 1 - 5e-7], 20000, chance)
    assert low <= agree <= high and not low <= 0.95 * agree <= high


# ------------------------------------------------------------------------------- LIBSVM files


def stored(path, A, y):
    from sklearn.datasets import dump_svmlight_file

    dump_svmlight_file(A, y, str(path), zero_based=False)
    return path


@pytest.mark.parametrize("labels", [(-1, 1), (0, 1), (1, 2), (2.5, 7)])
def test_round_trip(tmp_path, labels):
    A, y = synthetic_classification(25, 4)
    A[np.abs(A) < 0.3] = 0
    found, signs = libsvm(stored(tmp_path / "data.txt", A, np.where(y > 0, labels[1], labels[0])))
    np.testing.assert_allclose(found, A, rtol=1e-15)
    np.testing.assert_array_equal(signs, y)
    LogisticRegression(found, signs)


def test_compressed_file(tmp_path):
    import gzip

    A, y = synthetic_classification(10, 2)
    plain = stored(tmp_path / "plain", A, y)
    (tmp_path / "packed.gz").write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(libsvm(tmp_path / "packed.gz")[0], libsvm(str(plain))[0])


BROKEN = {
    "empty": (b"", "the file is empty"),
    "comment only": (b"# nothing\n\n", "0 samples|not in LIBSVM format"),
    "text": (b"label,feature\n1,2\n", "not in LIBSVM format"),
    "bad pair": (b"1 1:0.5\n-1 1=0.5\n", "not in LIBSVM format"),
    "bad value": (b"1 1:0.5\n-1 1:half\n", "not in LIBSVM format"),
    "negative index": (b"1 -3:0.5\n-1 1:2\n", "not in LIBSVM format"),
    "unsorted": (b"1 2:0.5 1:1\n-1 1:2\n", "not in LIBSVM format"),
    "binary": (bytes(range(256)), "not in LIBSVM format"),
    "one class": (b"1 1:0.5\n1 1:2\n", "1 different labels"),
    "three classes": (b"1 1:0.5\n2 1:2\n3 1:1\n", "3 different labels"),
    "no features": (b"1\n-1\n", "0 nonzero features"),
    "infinite": (b"1 1:inf\n-1 1:2\n", "NaN or infinite|not in LIBSVM format"),
    "huge index": (b"1 999999999:1\n-1 1:2\n", "too large for a dense matrix"),
    "broken.gz": (b"\x1f\x8b\x08 not really", "cannot read|not in LIBSVM format"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_named_in_one_line(tmp_path, name):
    content, words = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        libsvm(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^no file .*absent; give the path"):
        libsvm(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"^cannot read .*: Is a directory$"):
        libsvm(tmp_path)
    locked = stored(tmp_path / "locked", np.eye(2), [1, -1])
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user reads every file")
    with pytest.raises(ValueError, match=r"^cannot read .*Permission denied$"):
        libsvm(locked)


# ---------------------------------------------------------------- the papers' sets, by file


def test_sets_by_file(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMPLINGTHEORY_DATA", str(tmp_path))
    assert data.given_sets() == {}
    with pytest.raises(ValueError, match=r"'ijcnn1' is given: name its file, or a folder with it.*now: none.*mushrooms"):
        data.given_set("ijcnn1")
    rows = [f"{(-1) ** i} " + " ".join(f"{j}:{(i * j) % 7}" for j in range(1, 23)) for i in range(9)]
    (tmp_path / "ijcnn1").write_text("\n".join(rows) + "\n")
    (name, checksum), = data.given_sets().items()
    A, y = data.given_set(name, checksum)
    assert (name, len(A), set(y)) == ("ijcnn1", 9, {-1, 1})
    (tmp_path / "ijcnn1").write_text("\n".join(rows[:-1]) + "\n")
    with pytest.raises(ValueError, match="is another file than"):
        data.given_set(name, checksum)
    (tmp_path / "mushrooms").write_text("1 1:1\n2 2:1\n")
    with pytest.raises(ValueError, match="mushrooms has 112"):
        data.given_set("mushrooms")


def test_files_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "own.svm").write_text("a 1:1\n")
    (tmp_path / "two").write_text("1 1:1 2:3\n2 1:2 2:1\n2 1:4\n")
    places = [str(tmp_path / name) for name in ("two", "own.svm")]
    monkeypatch.setenv("SAMPLINGTHEORY_DATA", os.pathsep.join(places))
    assert list(data.given_sets()) == ["two", "own.svm"]
    assert data.given_set("two")[0].shape == (3, 2)
    with pytest.raises(ValueError, match=r"own.svm is not in LIBSVM format") as caught:
        data.given_set("own.svm")
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("SAMPLINGTHEORY_DATA", places[0] + os.pathsep + str(tmp_path / "absent"))
    with pytest.raises(ValueError, match=r"SAMPLINGTHEORY_DATA names .*absent, and there is no such file"):
        data.given_sets()


def test_a_wide_file_keeps_its_fullest_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "ENTRIES", 12)
    (tmp_path / "wide").write_text("1 1:1 3:1 5:1\n-1 3:2 4:7 5:2\n1 3:3 5:4\n")
    A, _ = data.libsvm(tmp_path / "wide", wide=2)
    assert A.tolist() == [[1, 1], [2, 2], [3, 4]]
    with pytest.raises(ValueError, match="too large for a dense matrix"):
        data.libsvm(tmp_path / "wide")


def test_even_or_odd(tmp_path):
    (tmp_path / "ten").write_text("3 1:1\n4 2:1\n8 1:2\n")
    assert data.libsvm(tmp_path / "ten", even_or_odd=True)[1].tolist() == [-1, 1, 1]
