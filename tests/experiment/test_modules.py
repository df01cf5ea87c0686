from pathlib import Path
from types import SimpleNamespace

import pytest

from samplingtheory.cli import main
from samplingtheory.errors import UserError
from samplingtheory.experiment import modules

ROOT = Path(__file__).parents[2]
TEXT = '''"""Is one equal to one?  Yes.

More."""
from . import beside
PAPER = ""
def tasks(quick): return [{"a": 1}]
def compute(task): return {"b": 1}
def shape(results): return {}
def draw(shaped): return {}
def caption(shaped): return "1"
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder of experiments of its own, as the current directory."""
    place = tmp_path / "experiments"
    place.mkdir()
    (place / "e70_one.py").write_text(TEXT)
    (place / "beside.py").write_text("x = 1\n")
    (place / "e71_script.py").write_text('"""A script of its own."""\n')
    monkeypatch.chdir(tmp_path)
    return place


def test_listing_names_questions_and_scripts(checkout, capsys):
    assert main(["experiment"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "e70_one     Is one equal to one?", "e71_script  A script of its own. (python -m experiments.e71_script)"]


def test_names_beginnings_and_all(checkout):
    assert [e.name for e in modules.select(["e70"])] == ["e70_one"]
    assert [e.name for e in modules.select(["all", "e70_one"])] == ["e70_one"]


@pytest.mark.parametrize("name, words", [("e72", "the nearest is 'e7"), ("e71", "python -m experiments.e71_script"),
                                         ("tests.experiment.test_modules", "has no function tasks()")])
def test_names_that_are_none(checkout, name, words):
    with pytest.raises(UserError, match="experiment") as caught:
        modules.select([name])
    assert words in str(caught.value)


def test_the_nearest_name(checkout):
    for name, near in (("al", "'all'"), ("ONE", "'e70_one'"), ("e70_oen", "'e70_one'")):
        with pytest.raises(UserError, match=f"the nearest is {near}"):
            modules.select([name])
    with pytest.raises(UserError, match=r"'zzz'; `samplingtheory experiment` lists all"):
        modules.select(["zzz"])


def test_the_template_runs_by_its_path(tmp_path, monkeypatch, capsys):
    """As a new user would: the file alone, in a folder of one's own, without a checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules, "PACKAGE", tmp_path / "site-packages" / "samplingtheory")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own_experiment.py").write_text((ROOT / "docs" / "templates" / "experiment.py").read_text())
    assert main(["experiment", "mine/own_experiment.py", "--quick", "--jobs", "1"]) == 0
    assert "own_experiment: Median gap" in capsys.readouterr().out
    assert main(["experiment", "mine/own_experiment.py", "--quick", "--draw"]) == 0


def test_a_path_inside_packages_is_imported_under_their_names(checkout):
    (checkout / "__init__.py").write_text("")
    one, = modules.select(["./experiments/e70_one.py"])
    assert (one.name, one.module) == ("e70_one", "experiments.e70_one")


def test_without_a_checkout_it_says_where_to_get_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules, "PACKAGE", tmp_path / "site-packages" / "samplingtheory")
    assert main(["experiment"]) == 2
    assert "source archive or a checkout" in capsys.readouterr().err
    assert main(["experiment", "all"]) == 2
    assert main(["experiment", "nothing_of_the_kind"]) == 2


@pytest.mark.parametrize("edit, same", [
    (("return \"1\"", "return \"2\""), True), (("Yes.", "No."), True), (("PAPER = \"\"", "PAPER = \"new\""), True),
    (("def draw(shaped): return {}", "def draw(shaped): return {'a': 1}"), True),
    (("{\"b\": 1}", "{\"b\": 2}"), False), (("{\"a\": 1}", "{\"a\": 2}"), False)])
def test_the_source_of_results_is_what_computes_them(checkout, edit, same):
    path = checkout / "e70_one.py"
    before = modules.source_hash(path)
    text = path.read_text()
    assert edit[0] in text
    path.write_text(text.replace(*edit))
    assert (modules.source_hash(path) == before) is same


def test_modules_and_packages_beside_it_count(checkout):
    hashes = [modules.source_hash(checkout / "e70_one.py")]
    (checkout / "beside.py").write_text("from .parts.inner import y\n")
    (checkout / "parts").mkdir()
    for text in ("y = 1\n", "y = 2\n"):
        (checkout / "parts" / "inner.py").write_text(text)
        hashes.append(modules.source_hash(checkout / "e70_one.py"))
    (checkout / "unrelated.py").write_text("z = 1\n")
    assert len(set(hashes)) == 3 and modules.source_hash(checkout / "e70_one.py") == hashes[-1]


def test_data_that_is_no_tuple_of_names_is_said():
    one = modules.Experiment("tests.experiment.toy", "tests.experiment.toy", ROOT / "tests/experiment/toy.py")
    for wrong in (ROOT, ("nothing_of_the_kind",)):
        module = SimpleNamespace(DATA=wrong, __file__=str(one.path))
        with pytest.raises(UserError, match="DATA"):
            modules.provenance(one, module)


def test_every_experiment_of_the_checkout_asks_and_predicts():
    for path in sorted((ROOT / "experiments").glob("e[0-9][0-9]_*.py")):
        one = modules.Experiment(path.stem, f"experiments.{path.stem}", path)
        assert one.question.endswith("?"), f"{path.name}: its docstring opens with a question"
        assert "redict" in one.doc, f"{path.name}: its docstring has a prediction"
        assert not one.missing or one.name == "e00_own_theorem", "`experiment all` is all but the tutorial"
        if not one.missing:
            assert "main(" in path.read_text(), f"{path.name}: has a command line, main(__file__) as a rule"
