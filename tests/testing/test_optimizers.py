"""Optimizers of torch pass bit by bit; conventions that differ are named, not called wrong."""

import pytest

from samplingtheory.testing import check_optimizer, from_torch, optimizer_checks
from samplingtheory.testing.others import third_party

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name, factory, kind, expected", [
    pytest.param(*entry, id=f"{entry[0]} {entry[2]}") for entry in third_party()])
def test_other_libraries_pass(name, factory, kind, expected):
    check_optimizer(factory, kind=kind, name=name, expected_failures=expected, examples=10).require()


class Warm(torch.optim.Adagrad):
    """Adagrad as TensorFlow starts it: accumulator 0.1 whatever is asked for."""

    def __init__(self, params, **keywords):
        super().__init__(params, **{**keywords, "initial_accumulator_value": 0.1})


@pytest.mark.parametrize("factory, kind, name", [
    (from_torch(Warm), "adagrad", "AdaGrad with accumulator 0.1"),
    (from_torch(torch.optim.Adam, amsgrad=True), "adam", "AMSGrad (largest second moment)"),
    (from_torch(torch.optim.RMSprop, centered=True), "rmsprop", "centred"),
    (from_torch(torch.optim.SGD, nesterov=True), "momentum", "Nesterov's look-ahead"),
    (from_torch(torch.optim.SGD, maximize=True), "sgd", "ascends"),
    (from_torch(torch.optim.SGD, weight_decay=0.01), "sgd", "weight decay 0.01 left on"),
])
def test_options_of_torch_are_named(factory, kind, name):
    assert f'"{name}"' in check_optimizer(factory, kind=kind, examples=10).diagnosis


@pytest.mark.parametrize("check", optimizer_checks(from_torch(torch.optim.SGD), kind="sgd", examples=10), ids=str)
def test_parametrised(check):
    check()
