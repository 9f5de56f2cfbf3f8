"""Each private name of moto's Lambda that is used still is what moto_seams_lambdas takes it for."""

import inspect

import pytest
from moto.awslambda import models, policy, responses

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
    (models.LambdaBackend, "publish_version"): "self function_name description",
    (models.LambdaBackend, "list_versions_by_function"): "self function_name",
    (models.LambdaBackend, "update_function_configuration"): "self function_name qualifier body",
    (models.LambdaBackend, "add_permission"): "self function_name qualifier raw",
    (models.LambdaBackend, "get_policy"): "self function_name qualifier",
    (models.LambdaBackend, "delete_alias"): "self name function_name",
    (models.LambdaBackend, "get_alias"): "self name function_name",
    (models.LambdaFunction, "set_version"): "self version",
    (models.LambdaAlias, "__init__"): "self account_id region name function_name function_version",
    (models.LambdaAlias, "update"): "self description function_version routing_config",
    (models.EventInvokeConfig, "__init__"): "self arn last_modified config",
    (policy.Policy, "add_statement"): "self raw qualifier",
    (policy.Policy, "del_statement"): "self sid revision",
    (models.LambdaBackend, "layers_versions_by_arn"): "self layer_version_arn",
    (models.LambdaBackend, "create_alias"): "self name",
    (models.LambdaBackend, "update_alias"): "self name",
    (models.LambdaBackend, "create_function_url_config"): "self",
    (responses.LambdaResponse, "invoke"): "self",
    (responses.LambdaResponse, "publish_version"): "self",
    (responses.LambdaResponse, "update_alias"): "self",
    (responses.LambdaResponse, "list_aliases"): "self",
    (responses.LambdaResponse, "remove_permission"): "self",
    (responses.LambdaResponse, "put_function_event_invoke_config"): "self",
    (responses.LambdaResponse, "update_function_event_invoke_config"): "self",
    (responses.LambdaResponse, "get_function_event_invoke_config"): "self",
    (responses.LambdaResponse, "delete_function_event_invoke_config"): "self",
    (responses.LambdaResponse, "list_function_event_invoke_configs"): "self",
    (responses.LambdaResponse, "_set_configuration_qualifier"): (
        "configuration function_name qualifier"
    ),
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
