import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from samplingtheory import store
from samplingtheory.check import check
from samplingtheory.claims.base import as_plain
from samplingtheory.errors import UserError

from . import toys


def verdict(claim=toys.HOLDS):
    return check(claim, "quick", 7)


@pytest.mark.parametrize("claim", [toys.HOLDS, *toys.catalogue[2:]], ids=lambda c: c.id)
def test_verdicts_survive_json_infinities_included(claim):
    v = verdict(claim)
    again = store.verdict_from_plain(json.loads(store.dumps(as_plain(v))))
    assert again == v
    assert isinstance(again.cases[0].evidence.upper, float)


def test_numpy_scalars_become_plain_numbers():
    v = verdict()
    odd = replace(v.cases[0].evidence, confirmed=np.bool_(True), runs=np.int64(5), value=np.float64(0.25),
                  series={"measured": [np.float64(math.inf)]})
    v = store.settled(replace(v, cases=(replace(v.cases[0], evidence=odd),)))
    assert v.cases[0].evidence.confirmed is True
    assert v.cases[0].evidence.series == {"measured": [math.inf]}


def test_an_object_that_is_no_verdict_is_refused():
    with pytest.raises((KeyError, TypeError)):
        store.verdict_from_plain({"id": "toy/holds"})


def test_output_folder_is_made(tmp_path):
    assert store.open_output(tmp_path / "a" / "b").is_dir()
    assert (tmp_path / "a" / "b" / "cache").is_dir()
    assert not list((tmp_path / "a" / "b").glob(".*"))


def test_output_folder_may_be_opened_by_several_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: store.open_output(tmp_path), range(400))) == {tmp_path}
    assert [p.name for p in tmp_path.rglob("*")] == ["cache"]


def test_output_folder_that_is_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(UserError, match=r"cannot write to the folder .*taken.*--out"):
        store.open_output(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "verdicts.json"
    store.write(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        store.write(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["verdicts.json"]
    assert path.read_text() == "old"


# ---------------------------------------------------------------- cache


def cache(tmp_path, **changes):
    return store.Cache(tmp_path, **{"level": "quick", "seed": 7, "stamp": "s", **changes})


def test_cache_returns_what_was_put(tmp_path):
    v = verdict()
    assert cache(tmp_path).get(v.id) == (None, "")
    assert cache(tmp_path).put(v) == ""
    assert cache(tmp_path).get(v.id) == (v, "")


@pytest.mark.parametrize("change", [{"level": "full"}, {"seed": 8}, {"stamp": "other source"}])
def test_cache_is_keyed_by_level_seed_and_source(tmp_path, change):
    v = verdict()
    cache(tmp_path).put(v)
    assert cache(tmp_path, **change).get(v.id) == (None, "")


def spoil(text, how):
    entry = json.loads(text)
    if how == "truncated":
        return text[: len(text) // 2]
    if how == "not text":
        return "\x00\x00"
    if how == "a list":
        return "[]"
    if how == "number changed":
        entry["verdict"]["sharpness"] = 0.999
    if how == "field missing":
        del entry["verdict"]["grade"]
        entry["checksum"] = store.checksum(entry["verdict"])
    if how == "another claim":
        entry["verdict"]["id"] = "toy/other"
        entry["checksum"] = store.checksum(entry["verdict"])
    return json.dumps(entry)


@pytest.mark.parametrize("how", ["truncated", "not text", "a list", "number changed", "field missing",
                                 "another claim"])
def test_damaged_entry_counts_as_absent_and_is_said(tmp_path, how):
    v, kept = verdict(), cache(tmp_path)
    kept.put(v)
    kept.path(v.id).write_text(spoil(kept.path(v.id).read_text(), how))
    found, remark = kept.get(v.id)
    assert found is None
    assert "is damaged" in remark and "recomputed" in remark and "\n" not in remark


def test_unreadable_entry_and_failed_write_are_said(tmp_path):
    v, kept = verdict(), cache(tmp_path)
    kept.path(v.id).mkdir()
    assert "damaged" in kept.get(v.id)[1]
    assert kept.put(v).startswith("verdict not cached:")


def test_stamp_follows_every_source_file(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").write_text("theta**2")
    (tmp_path / "sub" / "b.py").write_text("ceil")
    before = store.source_stamp(tmp_path)
    assert store.source_stamp(tmp_path) == before
    (tmp_path / "sub" / "b.py").write_text("floor")
    assert store.source_stamp(tmp_path) != before


def test_versions_of_what_is_not_installed():
    assert store.installed("no-such-distribution-anywhere") == "(not installed)"
    assert store.versions()["numpy"] == np.__version__
