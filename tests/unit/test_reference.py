"""The published schema and reference page are those of the model."""

import json
from pathlib import Path

import jsonschema
import pytest

from signalbox import manifest
from signalbox.errors import ManifestError
from signalbox_cli import reference

ROOT = Path(__file__).parents[2]
WORKLOADS = sorted((ROOT / "workloads").glob("*/manifest.json"))
HINT = "run python -m signalbox_cli.reference"


def test_the_reference_page_is_current():
    assert (ROOT / "docs" / "manifest.md").read_text() == reference.page_text(), HINT


def test_the_schema_is_current():
    assert (ROOT / "docs" / "manifest.schema.json").read_text() == reference.schema_text(), HINT


def test_the_example_of_the_page_is_a_good_manifest():
    manifest.validate(reference.EXAMPLE)
    jsonschema.validate(reference.EXAMPLE, reference.schema())


@pytest.mark.parametrize("path", WORKLOADS, ids=lambda path: path.parent.name)
def test_our_workloads_satisfy_the_schema_and_the_model(path):
    document = json.loads(path.read_text())

    jsonschema.validate(document, reference.schema())
    manifest.validate(manifest.read_document(path.read_bytes()))


# What the schema refuses, the model refuses, too: an editor must not be stricter than a release.
CHANGES = [
    {"typo": 1},
    {"name": "Upper"},
    {"problem": "guess"},
    {"train": {"maxRuntimeSeconds": "3600"}},
    {"train": {"instance_type": "ml.m5.large"}},
    {"inference": {}},
    {"inference": {"mode": "quantum"}},
    {"inference": {"mode": "endpoint", "alarms": True}},
    {"inference": {"mode": "endpoint", "probe": {"rows": -1}}},
    {"data": {"columns": {"age": "numbr"}}},
    {"evaluate": {"gates": [{"max": 1}]}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_schema_refuses_what_the_model_refuses(author, change):
    document = author | change

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, reference.schema())
    with pytest.raises(ManifestError):
        manifest.validate(document)


def test_every_key_is_described():
    """A key without a description would be an empty cell on the page."""
    rows = [line for line in reference.page_text().splitlines() if line.startswith("| `")]

    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []
