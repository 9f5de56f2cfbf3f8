"""Model archives: the beginning tells whether a training wrote a model."""

import gzip
import io
import os
import tarfile

import pytest

from signalbox.errors import ModelMissing
from signalbox.model_archive import LOOKED_INTO_BYTES, check_model

URI = "s3://workflow/runs/r/training/job/output/model.tar.gz"


def packed(*names: str, content: bytes = b"a model") -> bytes:
    """A model.tar.gz; a name that ends in a slash is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name.rstrip("/"))
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "archive",
    [packed(), packed("./"), packed("./", "code/"), gzip.compress(b"", mtime=0), b""],
    ids=["no-member", "its-own-folder", "folders", "nothing-packed", "no-bytes"],
)
def test_an_archive_without_a_file_is_no_model(archive: bytes) -> None:
    with pytest.raises(ModelMissing, match="wrote no model: s3://workflow/runs/r/training"):
        check_model(URI, archive, is_whole=True)


@pytest.mark.parametrize("archive", [packed("model.joblib"), packed("./", "a/", "a/model.bin")])
def test_an_archive_with_a_file_is_a_model(archive: bytes) -> None:
    check_model(URI, archive, is_whole=True)


def test_the_beginning_of_a_large_model_is_enough() -> None:
    large = packed("model.bin", content=os.urandom(4 * LOOKED_INTO_BYTES))

    check_model(URI, large[:LOOKED_INTO_BYTES], is_whole=False)


def test_what_the_beginning_does_not_tell_is_left_to_the_evaluation() -> None:
    check_model(URI, packed("model.bin")[:20], is_whole=False)
    check_model(URI, b"not an archive", is_whole=False)
