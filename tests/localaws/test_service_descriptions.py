"""Lean descriptions of services say what botocore's own do, but for the prose."""

from typing import Any

import pytest
from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel, StructureShape

from localaws import service_descriptions
from localaws.moto_seams import patches as moto_patches


def without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "" if _is_prose(k, v) else without_prose(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_prose(item) for item in value]
    return value


def _is_prose(name: str, value: Any) -> bool:
    return name == "documentation" and isinstance(value, str)


def _members(loader: Loader, service: str, shape_name: str) -> list[str]:
    model = ServiceModel(loader.load_service_model(service, "service-2"), service)
    shape = model.shape_for(shape_name)
    assert isinstance(shape, StructureShape)
    return list(shape.members)


@pytest.mark.parametrize("service", ["events", "sqs", "codepipeline"])
def test_only_the_prose_is_missing(service: str) -> None:
    lean = Loader(file_loader=service_descriptions.LeanFiles())
    full = Loader(file_loader=JSONFileLoader())

    found = lean.load_service_model(service, "service-2")

    assert found == without_prose(full.load_service_model(service, "service-2"))


def test_the_order_of_members_is_kept() -> None:
    lean = Loader(file_loader=service_descriptions.LeanFiles())
    full = Loader(file_loader=JSONFileLoader())

    names = [_members(loader, "sns", "PublishInput") for loader in (lean, full)]

    assert names[0] == names[1]


def test_a_missing_file_is_none() -> None:
    assert service_descriptions.LeanFiles().load_file("nowhere/at-all") is None


def test_the_laptop_gives_botocore_its_own_reader_back() -> None:
    before = Loader.FILE_LOADER_CLASS

    service_descriptions.keep_lean()
    kept = Loader().file_loader
    moto_patches.restore()

    assert isinstance(kept, service_descriptions.LeanFiles)
    assert Loader.FILE_LOADER_CLASS is before
