"""The files that the demo and the benchmark upload."""

import csv
from pathlib import Path

import pytest

from signalbox_cli.sample_data import export, has_samples

# scikit-learn User Guide, "Toy datasets": 442 rows of 10 features, 569 of 30.
SIZES = {"diabetes": (442, 10, 42), "breast-cancer": (569, 30, 69)}


def table(file: Path) -> list[list[str]]:
    """A CSV file's fields."""
    with file.open(newline="") as text:
        return list(csv.reader(text))


@pytest.mark.parametrize("workload", SIZES)
def test_source_and_inference_rows_are_the_data_set_shared_out(
    workload: str, tmp_path: Path
) -> None:
    rows, features, kept_back = SIZES[workload]
    sample = export(workload, tmp_path)
    header, *known = table(sample.source)
    asked = table(sample.inference)
    assert len(header) == features + 1
    assert len(known) == rows - kept_back
    assert [len(row) for row in asked] == [features] * kept_back
    assert len(sample.outcomes) == kept_back


def test_the_first_patient_is_written_as_measured(tmp_path: Path) -> None:
    # First row of the diabetes data set as published by Efron et al.
    _, first, *_ = table(export("diabetes", tmp_path).source)
    assert [float(field) for field in first] == [
        59,
        2,
        32.1,
        101,
        157,
        93.2,
        38,
        4,
        4.8598,
        87,
        151,
    ]


@pytest.mark.parametrize("workload", SIZES)
def test_a_drawn_data_set_has_as_many_rows_as_asked_for(workload: str, tmp_path: Path) -> None:
    _, features, _ = SIZES[workload]
    sample = export(workload, tmp_path, 2000, inference_rows=300)
    header, *known = table(sample.source)
    assert header == table(export(workload, tmp_path / "real").source)[0]
    assert len(known) == 2000
    assert [len(row) for row in table(sample.inference)] == [features] * 300
    assert len(sample.outcomes) == 300


def test_drawn_rows_stay_close_to_a_real_patient(tmp_path: Path) -> None:
    real = [
        [float(field) for field in row] for row in table(export("diabetes", tmp_path).source)[1:]
    ]
    real += [[float(f) for f in row] for row in table(tmp_path / "inference.csv")]
    drawn = table(export("diabetes", tmp_path / "drawn", 50).source)[1:]
    for row in drawn:
        cells = [float(field) for field in row[:10]]
        assert any(cells == pytest.approx(one[:10], rel=0.0101) for one in real)
        assert cells[1] in (1.0, 2.0)


def test_the_same_data_is_drawn_every_time(tmp_path: Path) -> None:
    first, second = (export("diabetes", tmp_path / name, 100) for name in ("a", "b"))
    assert first.source.read_bytes() == second.source.read_bytes()
    assert first.outcomes == second.outcomes


def test_drawn_labels_are_written_as_the_real_ones(tmp_path: Path) -> None:
    sample = export("breast_cancer", tmp_path, 200)
    assert {row[-1] for row in table(sample.source)[1:]} == {"M", "B"}
    assert set(sample.outcomes) == {"M", "B"}


def test_folder_and_manifest_names_are_known_and_others_are_not(tmp_path: Path) -> None:
    assert [has_samples(name) for name in ("diabetes", "breast_cancer", "breast-cancer", "x")] == [
        True,
        True,
        True,
        False,
    ]
    with pytest.raises(KeyError):
        export("x", tmp_path)
