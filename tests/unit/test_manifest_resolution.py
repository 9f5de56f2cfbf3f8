"""From the author's manifest to the resolved one, and what happens to it afterwards."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox import manifest_history as history
from signalbox.archive import WorkloadFiles
from signalbox.errors import ManifestError
from signalbox.manifest_resolution import default_pointers
from signalbox.manifest_resolved import (
    ResolvedManifest,
    from_json,
    history_detail,
    to_input,
    to_json,
)
from signalbox.release import plan_run

RUN = "261121-093005-2867b0"
RUN_URI = f"s3://signalbox-dev-workflow-123456789012-us-east-1/runs/{RUN}"
SCRIPTS = ("preprocess.py", "train.py", "evaluate.py", "inference.py")
NOW = datetime(2026, 11, 21, 10, 0, 0, 123_456, tzinfo=UTC)


def folder(author: dict[str, Any]) -> WorkloadFiles:
    scripts = {name: b"" for name in SCRIPTS}
    return WorkloadFiles("", {"manifest.json": json.dumps(author).encode(), **scripts})


@pytest.fixture
def resolved(author, platform, started) -> ResolvedManifest:
    """The run of the author's manifest."""
    return plan_run(folder(author), platform, started).manifest


def test_what_the_author_wrote_stays_verbatim(author, resolved):
    assert resolved.author == author


def test_defaults_are_shown_as_defaults(resolved):
    assert "/train/volumeSizeGb" in resolved.defaults
    assert "/preprocess/script" in resolved.defaults
    assert "/inference/serverless/memoryMb" in resolved.defaults
    assert "/train/hyperparameters" not in resolved.defaults
    assert "/inference/mode" not in resolved.defaults


def test_what_options_set_is_no_default(author, platform, started):
    options = '{"train": {"volumeSizeGb": 20}}'

    found = plan_run(folder(author), platform, replace(started, options=options)).manifest

    assert "/train/volumeSizeGb" not in found.defaults
    assert found.steps.train.volume_size_gb == 20


def test_names_are_those_of_the_contract(resolved):
    assert resolved.names.preprocess == f"signalbox-dev-preprocess-{RUN}"
    assert resolved.names.endpoint == "signalbox-dev-diabetes"
    assert resolved.names.model_package_group == "signalbox-dev-diabetes"


def test_locations_lie_below_the_run_and_end_without_a_slash(resolved):
    locations = resolved.locations.model_dump()

    assert locations["source"] == f"{RUN_URI}/source"
    assert locations["sourcedir"] == f"{RUN_URI}/code/sourcedir.tar.gz"
    assert all(uri.startswith(RUN_URI) and not uri.endswith("/") for uri in locations.values())


def test_standing_data_lies_where_the_author_says(author, platform, started):
    author["data"]["source"] = "datasets/diabetes"
    author["inference"]["source"] = "datasets/new"

    locations = plan_run(folder(author), platform, started).manifest.locations

    bucket = "s3://signalbox-dev-workflow-123456789012-us-east-1"
    assert locations.source == f"{bucket}/datasets/diabetes"
    assert locations.inference == f"{bucket}/datasets/new"
    assert locations.predictions == f"{RUN_URI}/predictions"


def test_hyperparameters_are_json_texts_and_say_what_to_run(resolved):
    assert resolved.steps.train.hyperparameters == {
        "alpha": "0.5",
        "solver": '"lbfgs"',
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": f'"{RUN_URI}/code/sourcedir.tar.gz"',
        "sagemaker_container_log_level": "20",
        "sagemaker_region": '"us-east-1"',
    }


def test_arguments_follow_the_script_in_the_entrypoint(author, platform, started):
    author["preprocess"] = {"script": "preprocess.py", "arguments": ["--seed", "7"]}

    steps = plan_run(folder(author), platform, started).manifest.steps

    code = "/opt/ml/processing/input/code"
    assert steps.preprocess.entrypoint == ["python3", f"{code}/preprocess.py", "--seed", "7"]
    assert steps.evaluate.entrypoint == ["python3", f"{code}/evaluate.py"]


@pytest.mark.parametrize(
    ("mode", "transform_type"), [("batch", "ml.c5.2xlarge"), ("endpoint", "ml.m5.large")]
)
def test_the_registry_is_told_of_types_that_it_takes(
    author, platform, started, mode, transform_type
):
    """A model is refused, after its training, when an endpoint's type is listed for transforms."""
    author["inference"] = {"mode": mode, "instanceType": "ml.c5.2xlarge"}

    plan = plan_run(folder(author), platform, started).manifest.steps.inference

    assert plan.realtime_instance_types == ["ml.c5.2xlarge"]
    assert plan.transform_instance_types == [transform_type]


def test_an_image_of_the_authors_own_replaces_the_environments(author, platform, started):
    author["train"]["image"] = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"

    images = plan_run(folder(author), platform, started).manifest.images

    assert images.train == "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    assert images.preprocess == images.evaluate == images.inference == platform.image


def test_equal_code_has_an_equal_digest_and_other_code_another(author, platform, started):
    first = plan_run(folder(author), platform, started)
    again = plan_run(folder(author), platform, started)
    changed = WorkloadFiles("", {**folder(author).files, "train.py": b"print(2)"})

    assert first == again
    other = plan_run(changed, platform, started).manifest
    assert other.run.code_digest != first.manifest.run.code_digest


def test_metadata_holds_what_the_registry_takes(resolved):
    """CustomerMetadataProperties: at most 50, keys to 128 and values to 256 characters."""
    metadata = resolved.registration.metadata

    assert metadata["run_id"] == RUN
    assert metadata["code_digest"].startswith("sha256:")
    assert all(1 <= len(value) <= 256 for value in metadata.values())


def test_a_missing_script_is_named_with_its_pointer(author, platform, started):
    author["evaluate"] = {"script": "judge.py"}

    with pytest.raises(ManifestError) as raised:
        plan_run(folder(author), platform, started)

    assert raised.value.problems == (
        '/evaluate/script: the archive has no "judge.py" in its root; it has: '
        "evaluate.py, inference.py, preprocess.py, train.py",
    )


@pytest.mark.parametrize(
    "written",
    [
        {
            "data": {
                "columns": {f"a column with a rather long name {n}": "text" for n in range(2000)}
            }
        },
        {"train": {"hyperparameters": {f"p{n}": "x" * 2000 for n in range(40)}}},
    ],
    ids=["columns", "hyperparameters"],
)
def test_a_manifest_that_no_state_machine_could_carry_is_refused(
    author, platform, started, written
):
    author |= written

    with pytest.raises(ManifestError, match=r"a state machine carries 131072; put long lists"):
        plan_run(folder(author), platform, started)


def test_the_longest_lists_of_an_ordinary_manifest_fit(author, platform, started):
    metrics = [f"regression_metrics.{'m' * 60}{number}.value" for number in range(50)]
    author["evaluate"] = {"gates": [{"metric": metric, "max": 1.0} for metric in metrics]}
    author["data"]["columns"] = {f"column_{number}": "number" for number in range(500)}

    plan_run(folder(author), platform, started)


def test_a_machine_starts_without_the_history(resolved):
    told = history.append(resolved, entry(("training", "started", "train-1")))

    assert told != resolved
    assert to_input(told) == to_input(resolved) == to_json(resolved)


def test_a_manifest_reads_back_as_it_was_written(resolved):
    assert from_json(to_json(resolved), source="x") == resolved
    assert to_json(from_json(to_json(resolved), source="x")) == to_json(resolved)


def test_a_manifest_that_somebody_damaged_is_refused_with_a_pointer(resolved):
    damaged = json.loads(to_json(resolved))
    del damaged["names"]["train"]

    with pytest.raises(ManifestError, match=r"s3://b/m\.json has 1 problem:\n  /names/train"):
        from_json(json.dumps(damaged).encode(), source="s3://b/m.json")


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
OBJECTS = st.dictionaries(
    st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=2),
    st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_size=4,
)


@given(OBJECTS)
def test_what_was_all_written_has_no_defaults(document):
    assert default_pointers(document, document) == []


@given(OBJECTS, OBJECTS)
def test_every_default_is_absent_from_what_was_written(filled, written):
    for where in default_pointers(filled, written):
        here: Any = written
        for part in where.split("/")[1:]:
            here = here.get(part, "absent") if isinstance(here, dict) else "absent"
        assert here == "absent"


CAUSES = st.sampled_from(["execution-1", "execution-2", "execution-3"])
FACTS = st.tuples(
    st.sampled_from(["training", "inference"]), st.sampled_from(["started", "failed"]), CAUSES
)


def minimal(entries: list[history.HistoryEntry]) -> ResolvedManifest:
    """A manifest of which only the history matters."""
    return ResolvedManifest.model_construct(history=entries)


def entry(fact: tuple[str, str, str]) -> history.HistoryEntry:
    return history.entry(*fact, at=NOW, detail={})


@given(st.lists(FACTS, max_size=12))
def test_a_history_has_each_fact_once_in_the_order_of_its_first_report(facts):
    manifest = minimal([])
    for fact in facts:
        manifest = history.append(manifest, entry(fact))

    assert [e.key for e in manifest.history] == [
        history.entry_key(*f) for f in dict.fromkeys(facts)
    ]


@given(st.lists(FACTS, max_size=12))
def test_attempts_count_the_executions_of_a_phase(facts):
    manifest = minimal([])
    for fact in facts:
        manifest = history.append(manifest, entry(fact))

    starts = [fact for fact in dict.fromkeys(facts) if fact[:2] == ("training", "started")]
    keys = [history.entry_key(*fact) for fact in starts]
    numbers = [history.attempt_number(manifest, "training", key) for key in keys]
    assert numbers == list(range(1, len(starts) + 1))
    assert history.attempt_number(manifest, "training", "new") == len(starts) + 1


def test_the_latest_entry_of_a_kind_wins():
    first = history.entry("training", "registered", "a", at=NOW, detail={}, arn="arn:1")
    second = history.entry("training", "registered", "b", at=NOW, detail={}, arn="arn:2")

    found = history.latest(minimal([first, second]), "training", "registered")

    assert found is not None
    assert found.arn == "arn:2"
    assert history.latest(minimal([first]), "inference", "registered") is None


def test_times_are_whole_seconds_in_utc():
    assert history.timestamp(NOW) == "2026-11-21T10:00:00Z"


def test_long_texts_of_a_detail_are_cut_wherever_they_are():
    cut = history_detail({"a": ["x" * 2001], "b": {"c": "y" * 2000}, "n": 1, "l": [0] * 101})

    assert cut == {"a": ["x" * 1997 + "..."], "b": {"c": "y" * 2000}, "n": 1, "l": [0] * 100}
