"""Long formulas in a paragraph are cut where a line may break, and nowhere else."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
mathml = pytest.importorskip("mathml")  # needs sphinx


LONG = r"\mathbb{E}|x_+-x^*|^2\le|e|^2-2\alpha\langle G,e\rangle+\alpha^2M|G|^2"


@pytest.mark.parametrize("latex, parts", [
    (LONG, [r"\mathbb{E}|x_+-x^*|^2", r"\le|e|^2", r"-2\alpha\langle G,e\rangle", r"+\alpha^2M|G|^2"]),
    (r"x=abcdefgh=-ijklmnop,qrst=u", ["x=abcdefgh", "=-ijklmnop,", "qrst", "=u"]),
    (r"\max\{a,b,c,d\}\le\left(e+f+g+h\right)^2", [r"\max\{a,b,c,d\}", r"\le\left(e+f+g+h\right)^2"]),
    *((whole, [whole]) for whole in (
        "a=b+c", r"\frac{a+b+c+d+e+f}{g=h,i,j,k,l,m}", r"\left.abcdefghijk=lmnopqrst\right|_0", r"abcdefghijklmnopq_+",
        "-abcdefghijklmnopq",
        r"\begin{pmatrix}1&-2\\3&4-5+6-7+8-9\end{pmatrix}"))])
def test_where_a_formula_is_cut(latex, parts):
    assert mathml.pieces(latex) == parts
    assert "".join(mathml.pieces(latex)) == latex
