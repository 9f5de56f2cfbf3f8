"""The author's manifest: what is accepted, and what is said about what is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import manifest
from signalbox.errors import ManifestError, NewerSchemaVersionError
from signalbox.json_documents import merge_patch
from signalbox.manifest_checks import check, check_automatic_gates
from signalbox.manifest_migration import migrate

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
JSON_OBJECTS = st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=4)


def problems_of(document: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as raised:
        check(manifest.validate(document))
    return raised.value.problems


def test_the_least_manifest_gets_its_defaults(author):
    found = manifest.validate(author)

    assert found.preprocess.script == "preprocess.py"
    assert found.train.channels == ["train"]
    assert found.train.instance_type == "ml.m5.large"
    assert found.approvals.approve_model == "manual"
    assert found.approvals.upload_source_data == "on-upload"
    assert found.inference.serverless.memory_mb == 2048


# (change, expected beginning of the one problem)
REFUSED = [
    ({"trian": {}}, '/trian: unknown key; did you mean "train"? known here: $schema, app'),
    ({"zzz": 1}, "/zzz: unknown key; known here: $schema, approvals, data"),
    (
        {"train": {"instnceType": "x"}},
        '/train/instnceType: unknown key; did you mean "instanceType"',
    ),
    (
        {"train": {"instance_type": "ml.m5.large"}},
        '/train/instance_type: unknown key; did you mean "i',
    ),
    (
        {"train": {"maxRuntimeSeconds": "3600"}},
        "/train/maxRuntimeSeconds: Input should be a valid int",
    ),
    (
        {"train": {"maxRuntimeSeconds": 0}},
        "/train/maxRuntimeSeconds: Input should be greater than or",
    ),
    ({"train": {"instanceCount": True}}, "/train/instanceCount: Input should be a valid integer"),
    ({"train": []}, "/train: Input should be an object"),
    ({"name": "Diabetes"}, "/name: String should match pattern"),
    ({"name": "a" * 32}, "/name: String should match pattern"),
    ({"name": "ends-"}, "/name: String should match pattern"),
    ({"problem": "regresion"}, "/problem: Input should be 'regression', 'binary_classification'"),
    ({"data": {"columns": {"a/b": "numbr"}}}, "/data/columns/a~1b: Input should be 'number'"),
    ({"data": {"source": "s3://bucket/data"}}, "/data/source: String should match pattern"),
    ({"data": {"source": "datasets/../runs"}}, "/data/source: String should match pattern"),
    ({"inference": {}}, "/inference/mode: missing"),
    ({"inference": {"mode": "btch"}}, "/inference/mode: Input should be 'batch'"),
    (
        {"inference": {"mode": "batch", "serverless": {"memoryMb": 1500}}},
        "/inference/serverless/mem",
    ),
    ({"preprocess": {"script": "../out.py"}}, "/preprocess/script: String should match pattern"),
    (
        {"preprocess": {"script": "src/preprocess.py"}},
        "/preprocess/script: String should match patt",
    ),
    ({"preprocess": {"instanceType": "m5.large"}}, "/preprocess/instanceType: String should match"),
    (
        {"preprocess": {"environment": {"A B": "1"}}},
        "/preprocess/environment/A B: String should mat",
    ),
    (
        {"evaluate": {"gates": [{"metric": "a", "max": "60"}]}},
        "/evaluate/gates/0/max: Input should",
    ),
    ({"evaluate": {"gates": [{"metrc": "a", "max": 1}]}}, "/evaluate/gates/0"),
    ({"evaluate": {"champion": {"metric": "a"}}}, "/evaluate/champion/better: missing"),
    ({"approvals": {"approveModel": "auto"}}, "/approvals/approveModel: Input should be 'manual'"),
]


@pytest.mark.parametrize(("change", "expected"), REFUSED)
def test_a_wrong_value_is_named_with_its_pointer(author, change, expected):
    problems = problems_of(author | change)

    assert any(problem.startswith(expected) for problem in problems), problems


def test_a_missing_key_is_named():
    assert problems_of({"schemaVersion": "1"})[:2] == ("/name: missing", "/problem: missing")


def test_all_problems_come_at_once(author):
    author |= {"name": "X", "problem": "y", "typo": 1}

    assert len(problems_of(author)) == 3


def test_a_suggestion_inside_a_list_is_for_the_element(author):
    author["evaluate"] = {"gates": [{"metric": "a", "maxx": 1}]}

    assert problems_of(author) == (
        '/evaluate/gates/0/maxx: unknown key; did you mean "max"? known here: max, metric, min',
    )


# (change, the problem)
CONTRADICTIONS = [
    (
        {"evaluate": {"gates": [{"metric": "a.b"}]}},
        "/evaluate/gates/0: needs min, max or both; without them a.b is not judged",
    ),
    (
        {"evaluate": {"gates": [{"metric": "a", "min": 2.0, "max": 1.0}]}},
        "/evaluate/gates/0: min 2.0 is above max 1.0; no model could pass",
    ),
    (
        {"approvals": {"approveModel": "on-upload"}},
        '/approvals/approveModel: nothing is uploaded there; use "manual" or "automatic"',
    ),
    (
        {"approvals": {"uploadSourceData": "automatic"}},
        "/approvals/uploadSourceData: automatic leaves nobody time to upload; name standing data "
        'in /data/source or use "on-upload"',
    ),
    (
        {"approvals": {"uploadInferenceData": "automatic"}},
        "/approvals/uploadInferenceData: automatic leaves nobody time to upload; name standing "
        'data in /inference/source or use "on-upload"',
    ),
    (
        {"train": {"hyperparameters": {"sagemaker_program": "x"}}},
        "/train/hyperparameters/sagemaker_program: names that begin with sagemaker_ are reserved "
        "for the platform",
    ),
    (
        {"train": {"hyperparameters": {"text": "x" * 2499}}},
        "/train/hyperparameters/text: 2501 characters as JSON; SageMaker takes 2500; "
        "put it in a file of the workload",
    ),
    (
        {"train": {"channels": ["train", "test", "train"]}},
        '/train/channels/2: "train" is named twice',
    ),
    (
        {"train": {"channels": ["train", "code"]}},
        '/train/channels/1: "code" is the platform\'s own, for the scripts of isolated containers; '
        "choose another name",
    ),
    (
        {"inference": {"mode": "endpoint", "environment": {"SAGEMAKER_PROGRAM": "x.py"}}},
        "/inference/environment/SAGEMAKER_PROGRAM: set by the platform",
    ),
    (
        {"inference": {"mode": "batch", "maxPayloadMb": 50, "maxConcurrentTransforms": 3}},
        "/inference/maxConcurrentTransforms: times maxPayloadMb it is 150 MB; SageMaker takes 100",
    ),
]


@pytest.mark.parametrize(("change", "problem"), CONTRADICTIONS)
def test_sections_that_contradict_each_other_are_named(author, change, problem):
    assert problems_of(author | change) == (problem,)


def test_automatic_gates_with_standing_data_are_fine(author):
    author["data"]["source"] = "datasets/diabetes"
    author["inference"]["source"] = "datasets/diabetes-new/2026_11"
    author["approvals"] = {"uploadSourceData": "automatic", "uploadInferenceData": "automatic"}

    check(manifest.validate(author))


def test_an_endpoint_may_be_automatic_without_inference_data(author):
    author["inference"] = {"mode": "endpoint"}
    author["approvals"] = {"uploadInferenceData": "automatic"}

    check(manifest.validate(author))


def test_options_open_no_gate_in_prod(author):
    patched = author | {"approvals": {"approveModel": "automatic"}}

    with pytest.raises(ManifestError, match="/approvals/approveModel: automatic in prod"):
        check_automatic_gates(author, patched, "prod")


def test_an_author_opens_a_gate_in_prod_and_options_open_one_elsewhere(author):
    automatic = author | {"approvals": {"approveModel": "automatic"}}

    check_automatic_gates(automatic, automatic, "prod")
    check_automatic_gates(author, automatic, "staging")


# (text, expected beginning of the one problem)
UNREADABLE = [
    (b"{", "line 1, column 2: not JSON"),
    (b"", "line 1, column 1: not JSON"),
    (b'{"a": 1,\n "b" 2}', "line 2, column 6: not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b'{"schemaVersion": "1", "x": NaN}', "not JSON: NaN is not JSON"),
    (b'{"name": "a", "name": "b"}', 'not JSON: the key "name" is written twice'),
    (b"[" * 100_000, "not JSON: the document is nested too deeply"),
    (b'"text"', "(document): expected an object, got a JSON string"),
    (b"[]", "(document): expected an object, got a JSON array"),
    (b"{}", '/schemaVersion: missing; write "schemaVersion": "1"'),
    (b'{"schemaVersion": 1}', '/schemaVersion: expected a version such as "1", got 1'),
    (b'{"schemaVersion": "one"}', '/schemaVersion: expected a version such as "1", got "one"'),
    (b'{"schemaVersion": "0"}', '/schemaVersion: "0" is older than "1", the oldest that can be'),
    (b" " * 1_000_001, "it is 1000001 bytes long"),
]


@pytest.mark.parametrize(("text", "expected"), UNREADABLE)
def test_a_text_that_is_no_manifest_is_refused(text, expected):
    with pytest.raises(ManifestError) as raised:
        manifest.read_document(text)

    (problem,) = raised.value.problems
    assert problem.startswith(expected)


def test_a_newer_manifest_names_the_version_that_can_read_it():
    with pytest.raises(NewerSchemaVersionError, match="a Signalbox that reads schema version 12"):
        manifest.read_document(b'{"schemaVersion": "12"}')


def test_a_byte_order_mark_is_no_mistake(author):
    text = json.dumps(author).encode("utf-8-sig")

    assert manifest.read_document(text) == author


def test_an_older_manifest_is_migrated_step_by_step():
    migrations = {
        "1": lambda document: document | {"schemaVersion": "2", "was": document["schemaVersion"]},
        "2": lambda document: document | {"schemaVersion": "3", "via": "2"},
    }
    original = {"schemaVersion": "1"}

    migrated = migrate(original, migrations=migrations, target="3")

    assert migrated == {"schemaVersion": "3", "was": "1", "via": "2"}
    assert original == {"schemaVersion": "1"}


# Examples of RFC 7386, appendix A: (original, patch, result).
RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("original", "patch", "result"), RFC_7386)
def test_options_are_merged_as_the_rfc_says(original, patch, result):
    assert merge_patch(original, patch) == result


@given(JSON_OBJECTS, JSON_OBJECTS)
def test_options_applied_twice_are_options_applied_once(document, patch):
    once = merge_patch(document, patch)

    assert merge_patch(once, patch) == once


@given(JSON_OBJECTS)
def test_empty_options_change_nothing(document):
    assert merge_patch(document, {}) == document


@given(JSON_OBJECTS, JSON_OBJECTS)
def test_options_leave_the_authors_document_as_it_was(document, patch):
    before = json.dumps(document)

    merge_patch(document, patch)

    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{", "line 1, column 2: not JSON"),
        ("[]", "expected an object, got a JSON array"),
        ('{"name": "other"}', "/name: cannot be changed for one run"),
        ('{"schemaVersion": null}', "/schemaVersion: cannot be changed for one run"),
    ],
)
def test_options_that_will_not_do_are_refused_by_name(author, options, expected):
    with pytest.raises(
        ManifestError, match="the pipeline variable Options has 1 problem"
    ) as raised:
        manifest.apply_options(author, options)

    assert expected in str(raised.value)


@given(JSON_OBJECTS)
def test_no_document_breaks_the_validation(document):
    """Whatever is written, the answer is a ManifestError as long as `problem` is missing."""
    with pytest.raises(ManifestError):
        manifest.validate({"schemaVersion": "1", "name": "a", **document})
