"""Each private name of moto's Lambda that is used still is what moto_seams_lambdas takes it for."""

import inspect

import pytest
from moto.awslambda import models, responses

from localaws.errors import UnsupportedByLocalAws
from localaws.lambdas.function import Archive, AsyncPolicy
from localaws.moto_seams import lambdas as seams

SIGNATURES = {
    (models.LambdaFunction, "__init__"): "self account_id spec",
    (models.LambdaFunction, "update_configuration"): "self",
    (models.LambdaFunction, "get_configuration"): "self on_create",
    (models.LambdaFunction, "_invoke_lambda"): "self event",
    (models.LambdaFunction, "invoke"): "self body",
    (models.LambdaBackend, "create_function"): "self spec",
    (models.LambdaBackend, "update_function_code"): "self",
    (models.LambdaBackend, "delete_function"): "self",
    (models.LambdaBackend, "get_function"): "self",
    (models.LambdaBackend, "put_function_event_invoke_config"): "self function_name config",
    (models.LambdaBackend, "layers_versions_by_arn"): "self layer_version_arn",
    (models.LambdaBackend, "create_alias"): "self name",
    (models.LambdaBackend, "update_alias"): "self name",
    (models.LambdaBackend, "create_function_url_config"): "self",
    (responses.LambdaResponse, "invoke"): "self",
}


@pytest.mark.parametrize(
    ("owner", "name", "leading"),
    [(owner, name, text.split()) for (owner, name), text in SIGNATURES.items()],
)
def test_a_patched_method_exists_with_its_leading_parameters(
    owner: type, name: str, leading: list[str]
) -> None:
    found = list(inspect.signature(getattr(owner, name)).parameters)

    assert found[: len(leading)] == leading


def test_a_function_of_moto_holds_all_that_the_runtime_reads() -> None:
    source = inspect.getsource(models.LambdaFunction)

    for attribute in (
        "code_bytes",
        "code_digest",
        "environment_vars",
        "event_invoke_config",
        "ephemeral_storage",
        "function_arn",
        "handler",
        "kms_key_arn",
        "layers",
        "memory_size",
        "reserved_concurrency",
        "run_time",
        "timeout",
        "tracing_config",
    ):
        assert f"self.{attribute}" in source, attribute


def test_without_a_laptop_nothing_is_run() -> None:
    seams.uninstall_lambdas()

    with pytest.raises(UnsupportedByLocalAws):
        seams._active()


def test_archives_are_equal_by_digest() -> None:
    assert Archive("a", b"1") == Archive("a", b"2")
    assert Archive("a", b"1") != Archive("b", b"1")


def test_the_default_policy_of_asynchronous_events_is_awss() -> None:
    # Lambda Developer Guide, "Configuring error handling settings": two retries, six hours
    assert (AsyncPolicy().retries, AsyncPolicy().longest_age_s) == (2, 6 * 3600)
