"""What a data file must look like to belong to a manifest.

Source data is CSV with a header: every column of the manifest and the label. Inference data is CSV
without header and without label, columns in the manifest's order: that is what a batch transform
splits by lines. Rules only: no file is opened here, rows come in as lists of fields.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from signalbox.errors import DatasetError
from signalbox.manifest_sections import ColumnType, DataSection


def read_section(declared: Mapping[str, Any]) -> DataSection:
    """The `data` section of a resolved manifest as a model."""
    return DataSection.model_validate(dict(declared), strict=False)


def feature_columns(section: DataSection) -> tuple[str, ...]:
    """The columns a model is asked with, in the order of the inference data."""
    return tuple(name for name in section.columns if name != section.label)


def check_source_header(header: Sequence[str], declared: Mapping[str, Any], *, file: str) -> None:
    """Raises DatasetError unless the header has every declared column and the label, once each."""
    section = read_section(declared)
    wanted = [*feature_columns(section), *([section.label] if section.label else [])]
    names = [name.strip() for name in header]
    problems = [*_missing(wanted, names, section.label), *_repeated(names)]
    if problems:
        raise DatasetError(
            f"{file} does not match the manifest: {'; '.join(problems)}. "
            f"Its header is: {_listed(names)}"
        )


def check_inference_row(row: Sequence[str], declared: Mapping[str, Any], *, file: str) -> None:
    """Raises DatasetError when the first row is a header or has another number of fields.

    A manifest without columns is not checked.
    """
    section = read_section(declared)
    features = feature_columns(section)
    if not features:
        return
    fields = [field.strip() for field in row]
    if _is_header(fields, features, section.label):
        raise DatasetError(
            f"{file} begins with a header ({_listed(fields)}); inference data carries none: "
            "each line is a row to predict. Remove the first line"
        )
    if len(fields) != len(features):
        raise DatasetError(_wrong_width(file, fields, features, section.label))
    _check_numbers(file, fields, section)


def _missing(wanted: Sequence[str], names: Sequence[str], label: str | None) -> list[str]:
    return [_missing_text(name, names, label) for name in wanted if name not in names]


def _missing_text(name: str, names: Sequence[str], label: str | None) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    hint = f' (did you mean "{close[0]}"?)' if close else ""
    what = "the label" if name == label else "the column"
    return f'{what} "{name}" is missing{hint}'


def _repeated(names: Sequence[str]) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f'the column "{name}" occurs {names.count(name)} times' for name in twice]


def _is_header(fields: Sequence[str], features: Sequence[str], label: str | None) -> bool:
    known = {*features, label}
    return sum(field in known for field in fields) * 2 > len(fields)


def _wrong_width(
    file: str, fields: Sequence[str], features: Sequence[str], label: str | None
) -> str:
    extra = len(fields) == len(features) + 1 and label is not None
    hint = f' Is the label "{label}" still in it? Inference data carries no label.' if extra else ""
    return (
        f"{file} has {len(fields)} fields in its first row, the manifest has {len(features)} "
        f"columns ({_listed(features)}).{hint}"
    )


def _check_numbers(file: str, fields: Sequence[str], section: DataSection) -> None:
    for position, (name, field) in enumerate(
        zip(feature_columns(section), fields, strict=True), start=1
    ):
        if section.columns[name] is ColumnType.NUMBER and field and not _is_number(field):
            raise DatasetError(
                f'{file}: field {position} of the first row is "{field[:40]}", '
                f'but the column "{name}" holds numbers'
            )


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown}, ... ({len(names)} in all)" if len(names) > 20 else shown
