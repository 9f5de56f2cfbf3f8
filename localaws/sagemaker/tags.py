"""AddTags, ListTags, DeleteTags for every kind of SageMaker resource."""

from localaws.sagemaker.api import Call, operation
from localaws.sagemaker.shapes import validation_error
from localaws.sagemaker.store import STORE, Document, Record

_MAX_TAGS = 50


def tags_of(parameters: Document) -> dict[str, str]:
    """The Tags of a Create request as a map."""
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags") or []}


@operation("AddTags")
def add_tags(call: Call) -> Document:
    """Add or change tags; answers with all of them."""
    record = _tagged(call)
    with STORE.lock:
        merged = {**record.tags, **tags_of(call.parameters)}
        if len(merged) > _MAX_TAGS:
            raise validation_error(f"{record.arn} would have {len(merged)} tags, the limit is 50")
        record.tags = merged
    return {"Tags": _listed(record)}


@operation("ListTags")
def list_tags(call: Call) -> Document:
    """The tags of one resource."""
    return {"Tags": _listed(_tagged(call))}


@operation("DeleteTags")
def delete_tags(call: Call) -> Document:
    """Remove tags by key; keys that are not there are no error."""
    record = _tagged(call)
    with STORE.lock:
        record.tags = {k: v for k, v in record.tags.items() if k not in call.parameters["TagKeys"]}
    return {}


def _tagged(call: Call) -> Record:
    arn = call.parameters["ResourceArn"]
    record = STORE.by_arn(arn)
    if record is None:
        raise validation_error(f"The resource {arn} does not exist")
    return record


def _listed(record: Record) -> list[Document]:
    return [{"Key": key, "Value": value} for key, value in record.tags.items()]
