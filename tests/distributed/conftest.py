"""Without PyTorch the tests that need it are skipped, and say so."""

import pytest


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'samplingtheory[distributed]'")
