"""What one complete step satisfies: the sandwich for C, what the conditions imply, the basic inequality."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...evidence.base import Quantity
from ...evidence.exact import Enumerate
from ...moments import Array
from ...problems.composite import Composite
from ...problems.prox import L1, Nothing
from ...sizing import Fixed
from ..base import OURS, RECONSTRUCTED, Case, Claim, Source, Symbols
from .cases import ONE, PAPER, SMOOTH, STRONG, UNBIASED, Biased, bias, composite_case, family, plain_sum, random_sum

STEP = ("C", "V", "m", "v", "E2", "shadow", "mhat")
PAIR = Fixed(2)


def over_L(factor: float) -> Any:
    return lambda problem: factor / problem.constants.L


def _plain(name: str = "h = 0: all four terms agree", q: float = 0.0) -> Case:
    smooth = random_sum(3)
    problem: Any = Composite(smooth, Nothing())
    return composite_case(name, Biased(problem, q) if q else problem, PAIR, [[2.0, 1.0], [-1.0, 3.0]], Enumerate(1),
                          0.7 / problem.constants.L)


def _doubled() -> Case:
    return _plain("g = 2 grad f on average", 1.0)


def _doubled_l1() -> Case:
    problem = Composite(random_sum(3), L1(0.3))
    return composite_case("g = 2 grad f on average, l1", Biased(problem, 1.0), Fixed(4), [[2.0, 1.0], [-1.0, 3.0]],
                          Enumerate(1), 0.7 / problem.constants.L)


def _sandwich(s: Symbols, now: Any, then: Any) -> tuple[Array, Array]:
    a, middle = s.alpha, s.alpha * np.sqrt(np.maximum(then.V * then.v, 0))
    rounding = 1e-12 * a * a * then.V
    chain = (then.v, then.shadow, a * then.C, middle, a * a * then.V)
    return np.concatenate(chain[:-1]), np.concatenate(chain[1:]) + np.tile(rounding, 4)


sandwich = Claim(
    id=f"{PAPER}/error-of-the-step", kind="step", title="How much of the gradient's error survives the prox",
    source=Source(PAPER, "Lemma 1 (sandwich for C)", OURS),
    statement=r"v\le\mathbb{E}\|x_+-\hat x\|^2\le\alpha C\le\alpha\sqrt{Vv}\le\alpha^2V,\qquad"
              r" C=-\mathbb{E}\langle g-\nabla f,\,x_+-x\rangle",
    explain="Firm nonexpansiveness of the prox. C is the part of the error that matters; with h = 0 all terms agree.",
    quantity=Quantity((*STEP, ("bias", bias)), _sandwich),
    hypotheses={"unbiased": UNBIASED},
    tight=(_plain,),
    generic=family(Enumerate(2), over_L(0.7), PAIR),
    broken={"unbiased": (_doubled_l1,)},
)


def _implied(s: Symbols, now: Any, then: Any) -> tuple[Array, Array]:
    """Each condition's smallest constant at the node, against what another condition promises for it."""
    a2V = s.alpha**2 * then.V
    tiny = 1e-300
    n1, n2, n3 = (a2V / np.maximum(step, tiny) for step in (then.m, then.E2, then.mhat))
    master, i1 = 2 * s.alpha * then.C / np.maximum(then.E2, tiny), s.alpha * then.C / np.maximum(then.m, tiny)
    root = np.sqrt(np.minimum(n3, 0.99))
    rows = ((n1 <= 1, master, 2 * n1 / (1 + n1)), (n2 < 0.99, n1, n2 / np.maximum(1 - n2, tiny)),
            (n3 < 0.99, n1, n3 / (1 - root) ** 2), (n1 < 1e6, i1, n1), (n1 < 1e6, master, 2 * i1),
            (n2 < 1e6, master, 2 * n2))
    measured = [np.where(applies & (bound > 1e-12), m, 0) for applies, m, bound in rows]
    return np.concatenate(measured), np.concatenate([np.broadcast_to(b, n1.shape) for _, _, b in rows])


implications = Claim(
    id=f"{PAPER}/conditions", kind="step", title="Which condition implies which",
    source=Source(PAPER, "section 2.2 of our notes", OURS),
    statement=r"\mathrm{N1}(\xi)\Rightarrow\mathrm{I1}(\xi)\Rightarrow\mathrm{M}(2\xi);\quad"
              r"\mathrm{N1}(\xi)\Rightarrow\mathrm{M}\left(\frac{2\xi}{1+\xi}\right)\;(\xi\le1);\quad"
              r"\mathrm{N2}(\xi)\Rightarrow\mathrm{M}(2\xi),\;\mathrm{N1}\left(\frac{\xi}{1-\xi}\right);\quad"
              r"\mathrm{N3}(\xi)\Rightarrow\mathrm{N1}\left(\frac{\xi}{(1-\sqrt\xi)^2}\right)\;(\xi<1)",
    explain="N compares the variance, I and M the surviving error C, with the expected step (1), the realised one "
            "(2, M) or the exact one (3). Each is checked at the smallest constant with which its premise holds.",
    quantity=Quantity((*STEP, ("bias", bias)), _implied),
    hypotheses={"unbiased": UNBIASED},
    tight=(_plain,),
    generic=family(Enumerate(2), over_L(0.7), PAIR),
    broken={"unbiased": (_doubled,)},
)


def _basic(s: Symbols, now: Any, then: Any) -> tuple[Array, Array]:
    """Lemma 2 at z = x* and z = x; every term is nonnegative for alpha <= 1/L."""
    half = 1 / (2 * s.alpha)
    rest = (1 / s.alpha - s.L) / 2 * then.E2
    at_solution = then.gap + half * then.dist2 + rest, then.C + (half - s.mu / 2) * now.dist2
    at_x = then.gap + half * then.E2 + rest, now.gap + then.C
    return np.concatenate([at_solution[0], at_x[0]]), np.concatenate([at_solution[1], at_x[1]])


def _reversed() -> Case:
    problem = Composite(plain_sum(), Nothing())
    return composite_case("g = 0.5 grad f", Biased(problem, -0.5), Fixed(4), [[2.0, 1.0]], Enumerate(1), 0.8)


def _isotropic(name: str, told_L: float = 1.0, **how: Any) -> Case:
    problem = Composite(plain_sum(), Nothing())
    return composite_case(name, problem, ONE, [[2.0, 1.0], [0.5, -0.1]], Enumerate(1), 0.8, L=told_L, **how)


basic = Claim(
    id=f"{PAPER}/basic-inequality", kind="step", title="The inequality behind every rate",
    source=Source(PAPER, "Lemma 2", RECONSTRUCTED),
    statement=r"\mathbb{E}\varphi(x_+)\le\varphi(z)+C+\frac{1/\alpha-\mu}{2}\|z-x\|^2-\frac{1}{2\alpha}\mathbb{E}\|z-x_+\|^2"
              r"-\frac{1/\alpha-L}{2}\mathbb{E}\|x_+-x\|^2",
    explain="Checked at z = x* and z = x, with all terms moved to the side on which they are nonnegative.",
    quantity=Quantity(("gap", "dist2", *STEP, ("bias", bias)), _basic),
    hypotheses={"smooth": SMOOTH, "strongly convex": STRONG, "unbiased": UNBIASED},
    tight=(_isotropic("isotropic quadratics, h = 0"),),
    generic=family(Enumerate(2), over_L(0.7), PAIR),
    broken={"smooth": (_isotropic("told L = 1/2", 0.5),), "strongly convex": (_isotropic("told mu = 1.5", mu=1.5),),
            "unbiased": (_reversed,)},
)

CLAIMS = (sandwich, implications, basic)
