import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from samplingtheory.check import check
from samplingtheory.report import draw, page, series, words

from . import toys
from .toys import Plan, case, claim

VOID = {"meta", "br", "link", "img", "input", "hr", "wbr", "col"}


class Outline(HTMLParser):
    """Checks that elements nest; collects attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:], self.getpos())
        self.open.pop()

    def handle_data(self, data):
        self.text.append(data)


def report(*claims, **how):
    verdicts = [check(c, "quick", 5) for c in claims]
    html = page.render(verdicts, claims, level="quick", seed=5, date="1 May 2025", **how)
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert not outline.open
    return html, " ".join("".join(outline.text).split()), dict(enumerate(outline.attributes))


EVERYTHING = (*toys.catalogue, toys.WEAK, toys.SURVIVOR)


def test_one_file_with_mathematics_and_pictures_and_no_requests():
    html, _, attributes = report(*EVERYTHING)
    assert "<math" in html and "<svg" in html
    links = [value for name, value in attributes.values() if name in ("href", "src", "action", "data", "srcset")]
    assert links and all(value.startswith("#") for value in links)
    assert "http-equiv=\"Content-Security-Policy\"" in html and "default-src 'none'" in html
    outside = re.findall(r"https?://[^\s\"'<]+", html)
    assert set(outside) <= {"http://www.w3.org/1998/Math/MathML"}  # a namespace, not an address that is fetched
    assert "@import" not in html and "url(" not in html and "<script" not in html


def test_every_link_leads_somewhere():
    _, _, attributes = report(*EVERYTHING)
    targets = {value for name, value in attributes.values() if name == "id"}
    assert {value[1:] for name, value in attributes.values() if name == "href"} <= targets
    assert {c.id for c in EVERYTHING} <= targets


def test_what_a_section_says():
    _, text, _ = report(toys.HOLDS)
    for said in ("Toy toy/holds", "toy2024, Theorem 1", "ours: new, or sharper", "the noise ε² is at most 1",
                 "+0.250", "1 of 1 caught", "at the bound", "a note", "too noisy", "broken: noise", "noise −0.500",
                 "samplingtheory verify toy/holds --seed 5 --level quick", "1 May 2025"):
        assert said in text, said


def test_header_counts_and_names_what_went_wrong():
    _, text, _ = report(*EVERYTHING, missing=2)
    assert "7 claims: 2 confirmed, 1 not refuted, 2 refuted as they should be" in text
    assert "1 inconclusive, 1 not as expected" in text
    assert "Not as expected toy/survivor" in text and "Inconclusive toy/weak" in text
    assert "2 of 9 claims had not finished" in text
    assert "1 of 1 controls survived" in text


def test_text_is_escaped_and_bad_latex_does_no_harm():
    nasty = '<script>alert("x")</script>'
    bad = claim("toy/bad", case(nasty, Plan(1.0, series=toys.PATH), note=nasty), title=nasty, explain=nasty,
                statement=r"\text{<script>} \frac{1 & <b>")
    html, text, _ = report(bad)
    assert "<script" not in html and "<b>" not in html
    assert nasty in text


@pytest.mark.parametrize("latex, parts", [
    (r"a\le b,\qquad c=d", 2), (r"a=0\;\Rightarrow\; b\le\frac{1}{2}", 2), (r"\left(a\quad b\right)^2", 1),
    (r"\mathbb{E}\|g\|^2", 1),
])
def test_statements_become_mathml_in_parts(latex, parts):
    converted = page.mathml(latex)
    assert len(converted) == parts
    assert all(ElementTree.fromstring(str(part)).tag == f"{page.MATHML}math" for part in converted)


@pytest.mark.parametrize("latex", [r"\frac{", r"a & b", ""])
def test_what_is_not_latex_is_shown_as_written(latex):
    assert all(str(part).startswith(("<code>", "<math")) for part in page.mathml(latex))


# ---------------------------------------------------------------- pictures


def pictures(data):
    v = check(claim("toy/x", case("c", Plan(1.0, series=data))), "quick", 0)
    return [ElementTree.fromstring(draw.svg(p, "label <&>")) for p in series.plots(v.cases[0])]


def path(measured, bound, k=None):
    return {"kind": "path", "k": k or list(range(1, len(measured) + 1)), "measured": measured, "bound": bound}


@pytest.mark.parametrize("data, count", [
    (toys.PATH, 2), (toys.POINTS, 1), (toys.WEALTH, 2), (toys.COUNT, 1), ({}, 0), ({"kind": "other"}, 0),
    (path([1.0], [2.0]), 2),
    (path([0.0, 0.0], [0.0, 0.0]), 2),
    (path([math.inf, 1.0, math.nan], [1.0, 1.0, 1.0]), 2),
    (path([1e-320, 1e300], [1.0, 1.7e308]), 2),
    (path([-1.0, 2.0], [1e-9, -3.0]), 2),
    (path([1.0] * 200, [1.0] * 200, k=list(range(1, 1001))), 2),
    ({"kind": "points", "measured": [1e-9, 3.0], "bound": [1.0, 2.0]}, 1),
    ({"kind": "points", "measured": [math.inf], "bound": 1.0}, 1),
    ({**toys.WEALTH, "wealth": [-math.inf, -500.0, math.inf]}, 2),
    ({"wealth": [0.0, 1.0]}, 1),
])
def test_every_series_is_drawn_inside_its_frame(data, count):
    drawn = pictures(data)
    assert len(drawn) == count
    for element in drawn:
        width, height = map(float, element.attrib["viewBox"].split()[2:])
        for shape in element.iter():
            if shape.tag in ("path", "circle"):
                numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*", shape.get("d", ""))]
                assert all(-1 <= x <= max(width, height) for x in numbers)
            assert "nan" not in str(shape.attrib) and "inf" not in shape.get("d", "")


def test_an_excess_is_shaded_and_equality_is_not():
    shaded = [bool(e.findall("path[@class='excess']")) for e in pictures(path([1.0, 2.0], [1.0, 1.0]))]
    assert shaded == [True, True]
    assert not any(e.findall("path[@class='excess']") for e in pictures(toys.PATH))


def test_controls_have_a_place_among_six_panels():
    many = replace(toys.HOLDS, tight=tuple(case(f"t{i}", Plan(1.0, series=toys.PATH)) for i in range(9)))
    chosen = page.chosen(check(many, "quick", 0).cases)
    assert [c.role for c in chosen] == ["tight"] * 5 + ["broken"]


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("value, shown", [
    (0.9999999, "1.000"), (1.0, "1.000"), (0.25, "0.250"), (0.01234, "0.0123"), (12.345, "12.35"), (197.23, "197.2"),
    (12345.6, "12,346"), (3e-7, "3.0·10⁻⁷"), (1.5e21, "1.5·10²¹"), (math.inf, "∞"), (-math.inf, "−∞"), (0.0, "0"),
    (-0.5, "−0.500"), (math.nan, "–"),
])
def test_numbers(value, shown):
    assert words.number(value) == shown


def test_a_small_excess_stays_visible():
    assert words.ratio(1 + 2e-5) == "1 + 2.0·10⁻⁵"
    assert words.ratio(1 + 1e-15) == "1.000"
    assert words.margin(-1e-12) == "0 (equality)" and words.margin(math.inf) == "not measured"


def test_formulas_in_text():
    assert words.pretty("nu^2 <= 1 + theta^2, menu, mu_k -> 0, eps") == "ν² ≤ 1 + θ², menu, μ_k → 0, ε"


@pytest.mark.parametrize("toy, key", [(toys.HOLDS, "confirmed"), (toys.FALSE, "denied"), (toys.WEAK, "unsure"),
                                      (toys.SURVIVOR, "wrong"), (toys.catalogue[2], "open")])
def test_status(toy, key):
    status = words.status(check(toy, "quick", 0))
    assert status.key == key and status.symbol.strip()
