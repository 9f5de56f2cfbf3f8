"""A model that is made from a registered version is decided on the model and on the version."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.iam_roles import ACCOUNT, allow, role

VERSION = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:model-package/churn/1"


@pytest.mark.parametrize(
    "source",
    [
        {"PrimaryContainer": {"ModelPackageName": VERSION}},
        {"Containers": [{"ModelPackageName": VERSION}]},
    ],
    ids=["primary", "list"],
)
def test_making_a_model_asks_for_its_version_too(laptop: Any, source: dict[str, Any]) -> None:
    models_only = role(allow("sagemaker:CreateModel", f"arn:aws:sagemaker:*:{ACCOUNT}:model/*"))

    with pytest.raises(ClientError, match=f"sagemaker:CreateModel on resource: {VERSION}"):
        models_only.client("sagemaker").create_model(ModelName="churn-1", **source)
