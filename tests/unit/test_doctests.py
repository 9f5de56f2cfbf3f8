"""Examples in docstrings are true."""

import doctest
import importlib
import pkgutil

import pytest

import signalbox

MODULES = sorted(found.name for found in pkgutil.iter_modules(signalbox.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_hold(name):
    module = importlib.import_module(f"signalbox.{name}")

    assert doctest.testmod(module).failed == 0
