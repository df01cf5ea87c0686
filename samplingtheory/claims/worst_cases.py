"""Rates as statements about whole function classes, at grade CERTIFICATE: how sharp is each theorem?"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

from ..evidence.base import Quantity
from ..evidence.worstcase.plan import Certify
from .base import OURS, RECONSTRUCTED, Case, Claim, Hypothesis, Source, Symbols
from .classes import (
    Build,
    composite_step,
    convex_multipliers,
    convex_one,
    descent,
    noisy_step,
    nonconvex_descent,
    reduced_step,
    relative_error,
    sharp_multipliers,
    tree,
)

SIDES = Quantity((), lambda s, value: (value, s.bound))
TOLD = Hypothesis("the bound is the theorem's",
                  lambda case, seen: 0.0 if case.symbols.bound >= case.symbols.rate else -1.0)
F = Fraction


def class_case(name: str, build: Build, rate: Any, limit: Any = math.inf, alpha: Any = 0, evidence: Any = None,
               shave: float = 0.0, paper: float = math.nan, attained: str = "", **exact: Any) -> Case:
    """The worst case of a model against `rate` (less `shave` in a broken case); `limit` is the longest step allowed."""
    symbols = Symbols(rate=float(rate), bound=float(rate) - shave, limit=float(limit), paper=paper, **exact)
    return Case(name, build, SimpleNamespace(alpha=float(F(alpha))), None, None, evidence or Certify(), symbols,
                attained)


SHORT = Hypothesis("the step is within the range of the theorem",
                   lambda case, seen: case.symbols.limit / case.method.alpha - 1 + 1e-12 if case.method.alpha else 0.0)
EXACT_DUAL = Certify(sharp_multipliers)
ACROSS = "a stretched quadratic, noise across the gradient"


def sharp(mu: Any, M: Any, alpha: Any) -> Fraction:
    return (1 - F(alpha) * F(mu)) ** 2 + F(alpha) ** 2 * F(mu) * (F(M) - 1)


def longest(mu: Any, M: Any) -> Fraction:
    return min(2 / (F(M) + F(mu)), 1 / (F(M) - 1 + F(mu)))


def one_step(mu: Any, M: Any, alpha: Any = None, evidence: Any = EXACT_DUAL, build: Callable[..., Build] = reduced_step,
             name: str = "", **how: Any) -> Case:
    alpha = 1 / F(M) if alpha is None else F(alpha)
    name = name or f"L = 1, mu = {mu}, M = {M}, alpha = {alpha}"
    paper = float(1 - 2 * F(mu) * alpha * (1 - alpha * F(M) / 2))
    return class_case(name, build(1, mu, M, alpha), sharp(mu, M, alpha), longest(mu, M), alpha, evidence, paper=paper,
                      attained=ACROSS, exact_L=1, exact_mu=mu, exact_growth=M, exact_alpha=alpha, **how)


PAIRS = (("1/10", "5/4"), ("1/10", "181/100"), ("1/2", "5/4"), ("1/100", "5/4"), ("1/10", "26"), ("1/10", "1"))
CLASS = {"bound": TOLD, "step": SHORT}

strongly_convex = Claim(
    id="bollapragada2018/worst-one-step", kind="class", title="The best one-step rate, for the whole class",
    source=Source("bollapragada2018", "T6* of our notes, by its exact dual", OURS),
    statement=r"\sup_{f,\,g}\frac{\mathbb{E}f(x_+)-f^*}{f(x)-f^*}=(1-\alpha\mu)^2+\alpha^2L\mu(M-1)",
    explain="One line of three interpolation inequalities, with exact multipliers, proves it for every function; the "
            "norm test and the augmented test enter only through M. The paper's 1 - mu/(LM) is larger.",
    related="bollapragada2018/strongly-convex-step", quantity=SIDES, hypotheses=CLASS,
    tight=tuple(one_step(*p) for p in PAIRS),
    generic=(one_step("1/10", "5/4", evidence=Certify(), build=noisy_step, name="two noise scenarios"),),
    broken={"bound": (one_step("1/10", "5/4", evidence=Certify(), shave=1e-4, name="rate less 1e-4"),),
            "step": (one_step("1/10", "281/100", "180/281", Certify(), name="mu = 1/10, M = 2.81, step 1.8/(LM)"),)},
)


def best_step(mu: Any, M: Any) -> Case:
    """Fact 3 of our notes: the longest admissible step is the best one."""
    q, m = F(mu), F(M)
    rate = 1 - 4 * q / (m + q) ** 2 if m <= 2 - q else (m - 1) / (m - 1 + q)
    case = one_step(mu, M, longest(mu, M))
    case.symbols.rate = case.symbols.bound = float(rate)
    return case


best = Claim(
    id="bollapragada2018/worst-best-step", kind="class", title="The best constant step and its rate",
    source=Source("bollapragada2018", "optimal step, Fact 3 of our notes", OURS),
    statement=r"\alpha=\min\left(\frac{2}{LM+\mu},\frac{1}{L(M-1)+\mu}\right):\quad"
              r"\rho=1-\frac{4q}{(M+q)^2}\;(M\le2-q),\quad\rho=\frac{M-1}{M-1+q}\;(M\ge2-q)",
    related="bollapragada2018/strongly-convex-step", quantity=SIDES, hypotheses=CLASS,
    tight=tuple(best_step(*p) for p in (("1/10", "5/4"), ("1/10", "13/4"), ("1/2", "5/4"))),
    broken={"bound": (one_step("1/10", "5/4", longest("1/10", "5/4"), Certify(), shave=1e-4, name="rate less 1e-4"),)},
)


def distance_case(mu: Any, M: Any, **how: Any) -> Case:
    m, growth = F(mu), F(M)
    rate = 1 - 4 * m / (growth * (1 + m) ** 2)
    return class_case(f"mu = {mu}, M = {M}" + (", rate less 1e-4" if how else ""),
                      noisy_step(1, mu, M, 2 / ((1 + m) * growth), "distance"),
                      rate, paper=float(rate), attained="diag(mu, L), noise along the gradient", **how)


distance = Claim(
    id="espath2021/worst-distance", kind="class", title="The rate of the squared distance, for the whole class",
    source=Source("espath2021", "rate theorem, one step", RECONSTRUCTED),
    statement=r"\sup\frac{\mathbb{E}\|x_+-x^*\|^2}{\|x-x^*\|^2}=1-\frac{4\mu L}{M(L+\mu)^2},\qquad"
              r"\alpha=\frac{2}{(L+\mu)M}",
    related="espath2021/distance", quantity=SIDES, hypotheses={"bound": TOLD},
    tight=tuple(distance_case(*p) for p in (("1/10", "2"), ("1/100", "5/4"), ("1/2", "181/100"))),
    broken={"bound": (distance_case("1/10", "2", shave=1e-4),)},
)


def relative_case(mu: Any, L: Any, eps: Any, **how: Any) -> Case:
    low, high = (1 - F(eps)) * F(mu), (1 + F(eps)) * F(L)
    alpha = 2 / (low + high)
    return class_case(f"mu = {mu}, L = {L}, eps = {eps}" + (", rate less 1e-4" if how else ""),
                      relative_error(L, mu, eps, alpha), ((high - low) / (high + low)) ** 2,
                      attained="one-dimensional quadratics", **how)


relative = Claim(
    id="byrd2012/worst-relative-error", kind="class", title="Sure relative error, best step",
    source=Source("byrd2012", "deterministic norm test; closed form of de Klerk, Glineur, Taylor 2020", RECONSTRUCTED),
    statement=r"\|d-\nabla f\|\le\epsilon\|\nabla f\|:\quad\sup\frac{f(x_+)-f^*}{f(x)-f^*}="
              r"\left(\frac{(1+\epsilon)L-(1-\epsilon)\mu}{(1+\epsilon)L+(1-\epsilon)\mu}\right)^2",
    quantity=SIDES, hypotheses={"bound": TOLD},
    tight=tuple(relative_case(*p) for p in (("1/10", 1, "1/10"), ("1/10", 1, "1/2"), ("1/100", 1, "1/2"),
                                            ("1/2", 2, "1/5"))),
    broken={"bound": (relative_case("1/10", 1, "1/2", shave=1e-4),)},
)


def descent_case(n: int, **how: Any) -> Case:
    return class_case(f"{n} steps" + (", bound less 1e-4" if how else ""), descent(1, n, 1), F(1, 4 * n + 2),
                      paper=1 / (2 * n), attained=f"Huber, knee 1/{2 * n + 1}", **how)


convex = Claim(
    id="bollapragada2018/worst-convex", kind="class", title="Convex functions without noise: the exact constant",
    source=Source("bollapragada2018", "Theorem 3.3 for M = 1; constant of Drori and Teboulle 2014", RECONSTRUCTED),
    statement=r"f(x_T)-f^*\le\frac{L\|x_0-x^*\|^2}{4T+2},\qquad\alpha=\frac1L",
    explain="The last-iterate bound of the catalogue, L R^2/(2T), is twice as large; for M > 1 see "
            "convex-natural-guess.",
    related="bollapragada2018/convex-last-iterate", quantity=SIDES, hypotheses={"bound": TOLD},
    tight=tuple(descent_case(n) for n in (1, 2, 5, 10, 20)),
    broken={"bound": (descent_case(2, shave=1e-4),)},
)


def noisy_convex_case(M: Any, shave: float = 0.0) -> Case:
    growth = F(M)
    alpha, name = 1 / growth, f"M = {M}" + (", constant less 1e-4" if shave else "")
    evidence = Certify(lambda s: convex_multipliers(growth, alpha))
    return class_case(name, lambda number: tree(0, growth, [alpha], start="distance", number=number),
                      convex_one(growth, alpha), alpha, alpha, None if shave else evidence, shave, float(growth / 2),
                      attained="Huber, noise across")


convex_noise = Claim(
    id="bollapragada2018/worst-convex-noise", kind="class", title="One convex step under the test: the exact constant",
    source=Source("bollapragada2018", "last-iterate bound for T = 1, sharpened (docs/proofs)", OURS),
    statement=r"\sup\,\mathbb{E}f(x_1)-f^*=\frac{L\|x_0-x^*\|^2}{2\left(1+2\alpha L-(\alpha L)^2(M-1)\right)},"
              r"\qquad\alpha\le\frac{1}{LM}",
    explain="The catalogue's last-iterate bound is M L R^2/2 here. For M > 1 the natural guess fails already at "
            "one step.",
    quantity=SIDES, hypotheses=CLASS,
    tight=tuple(noisy_convex_case(M) for M in (1, "5/4", 2, 5)),
    broken={"bound": (noisy_convex_case(2, 1e-4),)},
)


def two_steps(q: Any, M: Any, shave: float = 0.0) -> Case:
    alpha = 1 / F(M)
    return class_case(f"mu = {q}, M = {M}, two steps" + (", less 2 %" if shave else ""),
                      lambda number: tree(F(q), F(M), [alpha, alpha], number=number), sharp(q, M, alpha) ** 2,
                      longest(q, M), alpha, shave=shave, paper=float(1 - F(q) / F(M)) ** 2,
                      attained="smaller: one-step worst cases do not chain")


several = Claim(
    id="bollapragada2018/worst-two-steps", kind="class",
    title="Two steps under two-valued noise: better than the square of one",
    source=Source("bollapragada2018", "T6* of our notes, iterated; two noise values a node", OURS),
    statement=r"\mathbb{E}f(x_2)-f^*\le\left((1-\alpha\mu)^2+\alpha^2L\mu(M-1)\right)^2(f(x_0)-f^*)",
    explain="The exact one-step rate iterates, but not exactly: after two steps the worst case over noise with two "
            "values a node is strictly smaller, so one-step rates do not multiply to exact rates.",
    quantity=SIDES, hypotheses=CLASS,
    no_tight="the square is not attained: noise moves the error into directions that contract faster",
    generic=(two_steps("1/10", "5/4"), two_steps("1/10", 2), two_steps("1/2", "5/4")),
    broken={"bound": (two_steps("1/10", "5/4", 0.02),)},
)


def nonconvex_case(T: int, two_sided: bool, **how: Any) -> Case:
    rate = F(4, 3 * T - 1) if two_sided else F(2, T)
    return class_case(f"T = {T}" + (", bound less 1e-4" if how else ""), nonconvex_descent(1, T, two_sided), rate,
                      paper=2 / T, attained="" if two_sided else "sawtooth", **how)


nonconvex = Claim(
    id="bollapragada2018/worst-nonconvex", kind="class", title="Nonconvex functions without noise: the bound is exact",
    source=Source("bollapragada2018", "Theorem 3.4 for M = 1", RECONSTRUCTED),
    statement=r"\nabla^2F\preceq LI:\quad\min_{k<T}\|\nabla F(x_k)\|^2\le\frac{2L}{T}(F(x_0)-F_{\min})",
    explain="With curvature bounded above only, nothing better holds: the programme returns the paper's bound.",
    quantity=SIDES, hypotheses={"bound": TOLD},
    tight=tuple(nonconvex_case(T, False) for T in (1, 2, 3)),
    broken={"bound": (nonconvex_case(2, False, shave=1e-4),)},
)

nonconvex_two_sided = Claim(
    id="bollapragada2018/worst-nonconvex-two-sided", kind="class",
    title="Nonconvex functions with |curvature| at most L",
    source=Source("bollapragada2018", "sharper than Theorem 3.4 for M = 1; known for gradient descent", RECONSTRUCTED),
    statement=r"-LI\preceq\nabla^2F\preceq LI:\quad\min_{k<T}\|\nabla F(x_k)\|^2\le\frac{4L}{3T-1}(F(x_0)-F_{\min})",
    quantity=SIDES, hypotheses={"bound": TOLD},
    tight=tuple(nonconvex_case(T, True) for T in (1, 2, 3, 5)),
    broken={"bound": (nonconvex_case(2, True, shave=1e-4),)},
)


def composite_case(alpha: Any, mu: Any, L: Any = 1, **how: Any) -> Case:
    a, m, l = F(alpha), F(mu), F(L)
    k = a * m
    known: dict[str, Any] = {key: how.pop(key) for key in ("eta", "xi") if key in how}
    if "eta" in known:
        rate, limit = (1 - k) ** 2 + F(known["eta"]) * k, min(1 / l, (1 - F(known["eta"])) / m)
    else:
        rate, limit = (1 - k) ** 2 + k * F(known["xi"]) / (2 - a * l), 1 / l
        if F(known["xi"]) > (2 - a * l) * (1 - k):
            limit = a / 2  # outside the margin of (3d)
    shown: dict[str, Any] = {"mu": mu, "L": L, "alpha": alpha, **known}
    name = ", ".join(f"{key} = {value}" for key, value in shown.items())
    return class_case(name + (", rate less 1e-3" if how else ""), composite_step(L, mu, alpha, **known), rate, limit,
                      alpha, paper=float(1 - k), attained="T2, in the limit" if "eta" in known else "T1", **how)


inner_product = Claim(
    id="xie2020/worst-inner-product", kind="class", title="The prox step under condition (M), for the whole class",
    source=Source("xie2020", "Theorem 3c of our notes", OURS),
    statement=r"\sup\frac{\mathbb{E}\varphi(x_+)-\varphi^*}{\varphi(x)-\varphi^*}=(1-\alpha\mu)^2+\eta\alpha\mu",
    explain="The supremum is approached only as the noise grows without limit, so the solver ends near it: numerical.",
    related="xie2020/strongly-convex", quantity=SIDES, hypotheses=CLASS,
    tight=tuple(composite_case(a, "1/10", eta=e) for e, a in (("1/10", "9/10"), ("3/10", "7/10"), ("1/2", "1/2"))),
    broken={"bound": (composite_case("1/2", "1/10", eta="1/2", shave=1e-3),)},
)

norm = Claim(
    id="xie2020/worst-norm", kind="class", title="The prox step under the norm condition, for the whole class",
    source=Source("xie2020", "Theorem 3d of our notes", OURS),
    statement=r"\sup\frac{\mathbb{E}\varphi(x_+)-\varphi^*}{\varphi(x)-\varphi^*}=(1-\alpha\mu)^2"
              r"+\frac{\alpha\mu\,\xi}{2-\alpha L}",
    related="xie2020/strongly-convex", quantity=SIDES, hypotheses=CLASS,
    tight=(composite_case("3/5", "1/5", xi="1/5"), composite_case("1/2", "1/10", xi="1/2"),
           composite_case("19/100", "1/2", 2, xi=1)),
    broken={"bound": (composite_case("3/5", "1/5", xi="1/5", shave=1e-3),),
            "step": (composite_case("7/10", "1/10", xi="3/2"),)},
)

CLAIMS = (strongly_convex, best, distance, relative, convex, convex_noise, several, nonconvex, nonconvex_two_sided,
          inner_product, norm)
INEXPRESSIBLE = {
    "multi-step rates with noise": "scenarios multiply by two a step; two steps are within reach, twenty are not",
    "whole batch sizes and finite populations": "the size is not a function of the Gram matrix",
    "descent probability, backtracking, practical tests":
        "probabilities and line searches are not quadratic in the points",
    "sample sizes, optimal split": "algebra of one law; checked by enumeration instead",
}
