import json
import math
from dataclasses import replace
from importlib import import_module

import pytest

from samplingtheory.check import check, correct
from samplingtheory.claims.base import as_plain
from samplingtheory.errors import UserError

from . import toys
from .toys import MC, Plan, case, claim

module = import_module("samplingtheory.verify")  # the package's attribute of this name is the function
verify, select, exit_status = module.verify, module.select, module.exit_status


@pytest.fixture(autouse=True)
def toy_catalogue(monkeypatch):
    monkeypatch.setattr(module, "CATALOGUE", "tests.toys")


def ids(claims):
    return [c.id for c in claims]


def timeless(value):
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k != "seconds"}
    return [timeless(v) for v in value] if isinstance(value, list) else value


# ---------------------------------------------------------------- selection


def test_all_patterns_and_order():
    assert ids(select()) == ids(toys.catalogue)
    assert ids(select(["toy/f*", "toy/holds", "toy/holds"])) == ["toy/holds", "toy/false"]
    assert ids(select("toy/*")) == ids(toys.catalogue[:-1])
    assert ids(select([toys.WEAK, toys.FALSE, "toy/random"])) == ["toy/random", "toy/false", "toy/weak"]


@pytest.mark.parametrize("typed, nearest", [("toy/hold", "toy/holds"), ("randm", "toy/random"), ("toys/*x", "toy/")])
def test_unknown_id_names_the_nearest_and_list(typed, nearest):
    with pytest.raises(UserError, match=f"nearest is '{nearest}.*samplingtheory list"):
        select([typed])


def test_two_claims_with_one_id_are_refused():
    with pytest.raises(UserError, match="two claims have the id toy/holds"):
        select([toys.HOLDS, replace(toys.HOLDS, title="another")])


@pytest.mark.parametrize("wrong", [{"level": "slow"}, {"jobs": 0}])
def test_bad_options(wrong):
    with pytest.raises(UserError):
        verify(["toy/holds"], **wrong)


# ---------------------------------------------------------------- verdicts


def test_verdicts_and_exit_status():
    verdicts = {v.id: v for v in verify()}
    assert list(verdicts) == ids(toys.catalogue)
    assert verdicts["toy/holds"].verdict == "confirmed on this instance"
    assert verdicts["toy/holds"].controls == {"killed": 1, "total": 1}
    assert verdicts["toy/false"].verdict == "refuted"
    assert exit_status(verdicts.values()) == 0


def test_exit_status_of_inconclusive_and_unexpected():
    weak, survivor = verify([toys.WEAK])[0], verify([toys.SURVIVOR])[0]
    assert weak.verdict == "inconclusive (power)"
    assert exit_status([weak]) == 3
    assert exit_status([survivor]) == 1
    assert exit_status([weak, survivor]) == 1
    assert exit_status([]) == 0


def test_levels_multiply_the_runs():
    quick, full = (verify(["toy/random"], level)[0].cases[0].evidence.runs for level in ("quick", "full"))
    assert full == 10 * quick


@pytest.mark.parametrize("error, words", [
    (ValueError("the second\nmoment does not close"), "inconclusive (error: the second moment does not close)"),
    (FloatingPointError("step 3: NaN"), "inconclusive (error: step 3: NaN)"),
    (KeyError("grad2"), "inconclusive (error: KeyError: 'grad2')"),
])
def test_an_error_in_a_case_is_that_cases_verdict(error, words):
    bad = claim("toy/bad", case("fine", Plan(1.0)), case("fails", Plan(1.0, raises=error)))
    verdicts = verify([bad, toys.HOLDS])
    v = next(v for v in verdicts if v.id == "toy/bad")
    assert [c.words for c in v.cases] == ["confirmed on this instance", words]
    assert v.verdict == words and not v.as_expected
    assert exit_status(verdicts) == 1
    json.dumps(as_plain(v), allow_nan=False)


def test_an_error_in_a_control_leaves_it_uncaught():
    broken = {"noise": (case("fails", Plan(2.0, raises=ValueError("no"))),)}
    v = check(replace(toys.HOLDS, broken=broken), "quick", 0)
    assert v.controls == {"killed": 0, "total": 1} and not v.as_expected


def test_a_case_that_cannot_be_built_keeps_a_name():
    def breast_cancer():
        raise FileNotFoundError("no such file")

    v = check(claim("toy/unbuilt", real=(breast_cancer,)), "quick", 0)
    assert v.cases[0].words.startswith("inconclusive (error: FileNotFoundError")
    assert "breast cancer" in v.cases[0].name or v.cases[0].name.startswith("test a case")


def test_a_claim_with_controls_only_is_inconclusive():
    v = check(claim("toy/empty", broken=toys.control()), "quick", 0)
    assert v.inconclusive and not v.as_expected


# ---------------------------------------------------------------- reproducibility


def test_same_json_for_other_jobs_and_order(tmp_path):
    wanted = ids(toys.catalogue)
    verify(wanted, jobs=1, rng=3, out=tmp_path / "a")
    verify(wanted[::-1], jobs=2, rng=3, out=tmp_path / "b")
    verify(wanted, jobs=1, rng=4, out=tmp_path / "c")
    a, b, c = (timeless(json.loads((tmp_path / x / "verdicts.json").read_text())) for x in "abc")
    assert a == b
    assert a != c


def test_fields_of_verdicts_json(tmp_path):
    verify(["other/plain"], out=tmp_path)
    row, = json.loads((tmp_path / "verdicts.json").read_text())
    assert set(row) >= {
        "id", "paper", "label", "provenance", "kind", "expected", "grade", "verdict", "sharpness", "detectable_factor",
        "resolution", "hypotheses", "controls", "cases", "seed", "seconds", "level"}
    assert row["detectable_factor"] == "inf" and row["level"] == "quick"


# ---------------------------------------------------------------- cache


def outcomes(tmp_path, claims=None, **how):
    seen = {}
    verify(claims, out=tmp_path, progress=lambda o: seen.__setitem__(o.verdict.id, o), **how)
    return seen


def test_second_run_is_answered_from_the_cache(tmp_path):
    first, second = outcomes(tmp_path), outcomes(tmp_path)
    assert not any(o.cached for o in first.values())
    assert all(o.cached for o in second.values())
    assert {i: o.verdict for i, o in first.items()} == {i: o.verdict for i, o in second.items()}


def test_claims_outside_the_catalogue_are_not_cached(tmp_path):
    other = replace(toys.HOLDS, title="same id, another claim")
    assert not outcomes(tmp_path, [other])["toy/holds"].cached
    assert not outcomes(tmp_path, [other])["toy/holds"].cached
    assert not list((tmp_path / "cache").iterdir())


def test_damaged_entry_is_recomputed_and_said(tmp_path):
    outcomes(tmp_path, ["toy/holds"])
    entry, = (tmp_path / "cache").iterdir()
    entry.write_text(entry.read_text().replace("at the bound", "at the brink"))
    outcome = outcomes(tmp_path, ["toy/holds"])["toy/holds"]
    assert not outcome.cached and "damaged" in outcome.remark
    assert outcome.verdict.cases[0].name == "at the bound"
    assert outcomes(tmp_path, ["toy/holds"])["toy/holds"].cached
    entry.write_text("{")
    with pytest.warns(UserWarning, match="damaged"):
        verify(["toy/holds"], out=tmp_path)


def test_interruption_keeps_what_is_finished(tmp_path):
    stop = claim("zzz/stop", case("stops", Plan(1.0, raises=KeyboardInterrupt())))
    with pytest.raises(module.Interrupted) as caught:
        verify(["toy/holds", "toy/false", stop], out=tmp_path)
    assert ids(caught.value.verdicts) == ["toy/holds", "toy/false"]
    assert ids_in(tmp_path) == ["toy/holds", "toy/false"]
    assert outcomes(tmp_path, ["toy/holds"])["toy/holds"].cached


def ids_in(folder):
    return [row["id"] for row in json.loads((folder / "verdicts.json").read_text())]


# ---------------------------------------------------------------- many claims


def bets(**log_e):
    return [claim(f"toy/{name}", case("bet", Plan(1.2, 1.1, MC, log_e=e))) for name, e in log_e.items()]


def corrected(claims):
    return {v.id: v for v in correct(claims, {c.id: check(c, "quick", 0) for c in claims})}


def test_a_lone_refutation_needs_no_correction():
    v = corrected(bets(a=math.log(150)))["toy/a"]
    assert v.verdict == "refuted at risk 0.01" and exit_status([v]) == 1


def test_a_weak_refutation_among_many_becomes_inconclusive():
    silent = bets(b=0.0, c=0.0, d=-math.inf)
    v = corrected([*bets(a=math.log(150)), *silent])["toy/a"]  # e-BH needs 4/0.01 = 400 here
    assert v.verdict == "inconclusive (multiplicity)"
    assert v.cases[0].words == "inconclusive (multiplicity)"
    assert exit_status([v]) == 3
    assert corrected([*bets(a=math.log(500)), *silent])["toy/a"].verdict == "refuted at risk 0.01"


def test_correction_uses_final_wealth_and_spares_exact_and_expected_refutations():
    fell = claim("toy/fell", case("bet", Plan(1.2, 1.1, MC, log_e=9.0, series={**toys.WEALTH, "wealth": [9.0, 0.0]})))
    exact = claim("toy/exact", case("exact", Plan(1.2)))
    meant = replace(bets(meant=math.log(150))[0], expected="fails")
    found = corrected([fell, exact, meant, *bets(b=0.0)])
    assert found["toy/fell"].verdict == "inconclusive (multiplicity)"
    assert found["toy/exact"].verdict == "refuted"
    assert found["toy/meant"].verdict == "refuted at risk 0.01" and found["toy/meant"].as_expected


@pytest.mark.parametrize("claims, how, words", [(5, {}, "a claim is 5"), ([5], {}, "a claim is 5"),
                                                ("toy/*", {"jobs": "2"}, "jobs is '2'"),
                                                ("toy/*", {"jobs": 1.5}, "jobs is 1.5"),
                                                ("toy/*", {"out": 5}, "the output folder is 5")])
def test_wrong_arguments_get_one_line(claims, how, words):
    with pytest.raises(UserError, match=words):
        module.verify(claims, **how)
