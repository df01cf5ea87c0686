"""What the list of mistakes says of itself, and that a diagnosis tells them apart."""

import pytest

from samplingtheory.testing.matrix import subject_of
from samplingtheory.testing.mistakes import mutants

NAMED = [  # label, and whether others of the list may equal it on the fixed tables
    "norm: tolerance not squared", "norm: divisor n for n - 1", "norm: standard deviation for variance",
    "norm: uncentred second moment", "norm: finite-population factor dropped", "norm: one sample more",
    "norm: epsilon 1e-8 in the denominator", "norm: floor for ceil", "augmented: min for max",
    "inner-product: per-coordinate sum (all covariance lost)", "step-norm: 1/alpha^2 missing",
    "rank-means: divisor J for J - 1: biased by 1 - 1/J", "rank-moments: between-rank part dropped",
    "adagrad: epsilon inside the root", "adagrad: AdaGrad with accumulator 0.1", "adam: no bias correction",
    "adam: AMSGrad (largest second moment)", "adamw: coupled weight decay", "proximal-gradient: hard thresholding",
]
BY_LABEL = {m.label: m for m in mutants()}


@pytest.mark.parametrize("label", NAMED)
def test_the_diagnosis_names_it(label):
    subject, _, diagnose = subject_of(BY_LABEL[label])
    assert diagnose(subject).startswith(f'equals the known mistake "{BY_LABEL[label].name}"')


def test_what_survives_says_why():
    equivalent = [m for m in mutants() if m.equivalent]
    assert 1 <= len(equivalent) <= 10
    assert all(len(m.equivalent) > 10 and not m.conservative for m in equivalent)
    assert len(mutants()) - len(equivalent) >= 40
