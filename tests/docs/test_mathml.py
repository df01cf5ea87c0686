"""Long formulas in a paragraph are cut where a line may break, and nowhere else."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "docs" / "_ext"))
mathml = pytest.importorskip("mathml")  # needs sphinx


@pytest.mark.parametrize("latex, parts", [
    (r"\mathbb{E}|x_+-x^*|^2\le|e|^2-2\alpha\langle G,e\rangle", [r"\mathbb{E}|x_+-x^*|^2", r"\le|e|^2",
                                                                   r"-2\alpha\langle G,e\rangle"]),
    (r"a=-b", ["a", "=-b"]), (r"x_+", [r"x_+"]), (r"-x", [r"-x"]), (r"p=1,q=2", ["p", "=1,", "q", "=2"]),
    (r"\max\{a,b\}\le\left(c+d\right)^2", [r"\max\{a,b\}", r"\le\left(c+d\right)^2"]), (r"\lambda\in(0,1]", [r"\lambda", r"\in(0,1]"]),
    (r"\frac{a+b}{c=d}", [r"\frac{a+b}{c=d}"]), (r"\left.a=b\right|_0", [r"\left.a=b\right|_0"]),
    (r"\begin{pmatrix}1&-2\\3&4\end{pmatrix}=A", [r"\begin{pmatrix}1&-2\\3&4\end{pmatrix}", "=A"])])
def test_where_a_formula_is_cut(latex, parts):
    assert mathml.pieces(latex) == parts
    assert "".join(mathml.pieces(latex)) == latex
