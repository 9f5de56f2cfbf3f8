"""The settings of the environments: what they work out, and what they say of a mistake."""

import json
import shutil
from pathlib import Path

import pytest

from delivery import examples, settings, toml_writing
from delivery.samconfig import rendered
from delivery.toml_reading import SettingsError
from tests.contracts import repository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example files, to be changed."""
    return Path(shutil.copytree(repository.SETTINGS, tmp_path / "environments"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_committed_settings_are_the_accounts_of_the_documentation() -> None:
    found = settings.load()

    assert {name: e.account for name, e in found.environments.items()} == {
        "dev": "123456789012",
        "staging": "210987654321",
        "prod": "345678901234",
    }
    assert (found.operations.account, found.data.account) == ("567890123456", "678901234567")
    assert found.artifact_bucket == "signalbox-delivery-567890123456-us-east-1"
    assert found.packages_prefix("staging") == "packages/210987654321"


def test_names_of_roles_hold_environment_kind_and_region() -> None:
    found = settings.load()

    assert (
        found.role_arn("staging", "delivery")
        == "arn:aws:iam::210987654321:role/signalbox-staging-delivery-us-east-1"
    )
    assert (
        found.role_arn("operations", "build", "eu-west-1")
        == "arn:aws:iam::567890123456:role/signalbox-delivery-build-eu-west-1"
    )
    with pytest.raises(KeyError, match="staging has no role deploy"):
        found.role_arn("staging", "deploy")
    with pytest.raises(KeyError, match="prod has no role acceptance"):
        found.role_arn("prod", "acceptance")


def test_the_first_environment_drives_the_whole_path() -> None:
    found = settings.load().environments
    path = json.loads(found["dev"].parameters["PromotionPath"])

    assert [(s["environment"], s["approval"]) for s in path] == [
        ("staging", "none"),
        ("prod", "manual"),
    ]
    assert found["dev"].parameters["PromotionTargetAccounts"] == "210987654321,345678901234"
    assert found["prod"].parameters["PromotionSourceAccounts"] == "123456789012"
    assert "PromotionPath" not in found["staging"].parameters


def test_an_environment_that_is_left_out_is_passed_over() -> None:
    found = settings.load()
    path = json.loads(settings.promotion_parameters(found, "dev", ["prod", "dev"])["PromotionPath"])

    assert [step["environment"] for step in path] == ["prod"]
    assert settings.promotion_parameters(found, "dev", ["dev"]) == {}


def test_two_chains_that_meet_may_both_enter(folder: Path) -> None:
    change(folder / "dev.toml", 'promotes_to = "staging"', 'promotes_to = "prod"')

    prod = settings.load(folder).environments["prod"].parameters
    assert prod["PromotionSourceAccounts"] == "123456789012,210987654321"


def test_only_prod_shifts_its_functions_gradually(folder: Path) -> None:
    found = settings.load(folder).environments

    rollouts = {name: one.parameters.get("FunctionRollout") for name, one in found.items()}
    assert rollouts == {"dev": None, "staging": None, "prod": "Canary10Percent5Minutes"}


def test_another_region_of_prod_has_its_own_boundary_and_no_promotion(folder: Path) -> None:
    change(folder / "prod.toml", '["us-east-1"]', '["us-east-1", "eu-west-1"]')
    found = settings.load(folder)

    there = settings.parameters(found, "prod", "eu-west-1")
    assert there["PermissionsBoundary"].endswith("policy/signalbox-prod-boundary-eu-west-1")
    assert "PromotionSourceAccounts" not in there
    assert there["LogRetentionDays"] == "365"


def test_every_region_that_is_delivered_to_has_an_artifact_store(folder: Path) -> None:
    change(folder / "prod.toml", '["us-east-1"]', '["eu-west-1", "us-east-1"]')
    found = {d.name: d for d in settings.deployments(settings.load(folder))}

    assert list(found) == [
        *("operations", "operations/eu-west-1", "data"),
        *("dev", "staging", "prod", "prod/us-east-1", "pipeline"),
    ]
    pipeline = found["pipeline"]
    assert pipeline.parameters["ProdRegion"] == pipeline.parameters["SecondRegion"] == "eu-west-1"
    assert pipeline.parameters["ProdSecondRegion"] == "us-east-1"
    assert [(f.parameter, f.deployment) for f in pipeline.from_outputs] == [
        ("ArtifactKeyArn", "operations"),
        ("SecondRegionKeyArn", "operations/eu-west-1"),
    ]


def test_one_stack_of_an_account_makes_the_oidc_provider(folder: Path) -> None:
    """An account has one provider of an address (IAM User Guide, "Create an OIDC provider")."""
    change(folder / "staging.toml", "210987654321", "123456789012")
    found = {d.name: d.parameters for d in settings.deployments(settings.load(folder))}

    provider = {name: found[name]["OidcProvider"] for name in ("dev", "staging", "prod")}
    assert provider == {"dev": "create", "staging": "exists", "prod": "create"}


def test_the_numbers_of_the_repository_reach_every_environment(folder: Path) -> None:
    change(folder / "shared.toml", 'owner_id = ""\nid = ""', 'owner_id = "583231"\nid = "1296269"')
    found = {d.name: d.parameters for d in settings.deployments(settings.load(folder))}

    for name in ("dev", "staging", "prod"):
        assert found[name]["Repository"] == "example-org/signalbox"
        assert found[name]["RepositoryOwnerId"] == "583231"
        assert found[name]["RepositoryId"] == "1296269"


def test_the_laptop_has_its_own_accounts_whatever_the_files_say(folder: Path) -> None:
    change(folder / "prod.toml", "345678901234", "999999999999")
    moved = settings.relocated(
        settings.load(folder), {"prod": "345678901234"}, "us-east-1", app="demo"
    )

    assert moved.environments["prod"].account == "345678901234"
    assert "345678901234" in moved.environments["dev"].parameters["PromotionPath"]
    assert moved.environments["dev"].stack_name == "demo-dev"


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("dev.toml", '"123456789012"', '"12345"', "account: '12345' cannot be used; write"),
        ("dev.toml", '"123456789012"', "123456789012", "account: 123456789012 cannot be used"),
        ("dev.toml", "promotes_to", "promote_to", "promote_to: unknown key; did you mean"),
        ("dev.toml", '"us-east-1"', '"us_east"', "regions: 'us_east' cannot be used"),
        ("dev.toml", '"us-east-1"', '"us-east-1", "us-east-1"', "no list of different values"),
        ("dev.toml", "LogRetentionDays = 30", 'AppName = "x"', "parameters.AppName: follows from"),
        ("dev.toml", "LogRetentionDays = 30", "Log = 1.5", "parameters.Log: 1.5 is no text"),
        ("dev.toml", 'usage" = 2', 'usage" = "2"', "'2' is no number of 0 or more"),
        ("dev.toml", "[schedules]", '[schedules]\nretrain = "daily"', "schedules.retrain: 'daily'"),
        ("prod.toml", "[promotion]", 'promotes_to = "dev"\n[promotion]', "goes in a circle"),
        ("prod.toml", '"manual"', '"ask"', "promotion.approval: 'ask' cannot be used; write"),
        ("shared.toml", '"signalbox"', '"Signal Box"', "app: 'Signal Box' cannot be used"),
        ("shared.toml", 'connection = ""', 'connection = "x"', "repository.connection: 'x'"),
        ("shared.toml", "[data]", "[data", "this is no TOML"),
        (
            "shared.toml",
            '\nid = ""',
            "\nid = 12",
            "repository.id: 12 cannot be used; write the num",
        ),
        ("shared.toml", '\nid = ""', '\nid = "12"', "owner_id: missing; name, owner_id and id go"),
        ("shared.toml", 'owner_id = ""', 'owner_id = "12"', "repository.id: missing; name, owner"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_remedy(
    folder: Path, file: str, old: str, new: str, said: str
) -> None:
    change(folder / file, old, new)

    with pytest.raises(SettingsError) as refused:
        settings.load(folder)
    assert said in str(refused.value)
    assert str(folder / file) in str(refused.value) or "circle" in said


@pytest.mark.parametrize("name", ["shared", "dev"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / f"{name}.toml").unlink()

    with pytest.raises(SettingsError, match=rf"{name}\.toml: there is no such file"):
        settings.load(folder)


def test_a_file_of_another_name_is_not_passed_over(folder: Path) -> None:
    (folder / "staging.toml").rename(folder / "stage.toml")

    with pytest.raises(
        SettingsError, match=r"stage\.toml: nobody would read this; .* staging\.toml"
    ):
        settings.load(folder)


def without_staging(folder: Path) -> Path:
    change(folder / "dev.toml", '"staging"', '"prod"')
    (folder / "staging.toml").unlink()
    return folder


def test_who_has_no_staging_promotes_from_dev_to_prod(folder: Path) -> None:
    found = settings.load(without_staging(folder))

    assert list(found.environments) == ["dev", "prod"]
    path = json.loads(found.environments["dev"].parameters["PromotionPath"])
    assert [step["environment"] for step in path] == ["prod"]
    assert found.target_accounts == ("123456789012", "345678901234")
    assert "[staging" not in rendered(found)


def test_without_staging_there_is_no_delivery_pipeline(folder: Path) -> None:
    """It would try out there what it takes to prod; GitHub's workflows deliver."""
    found = settings.load(without_staging(folder))

    assert [d.name for d in settings.deployments(found)] == ["operations", "data", "dev", "prod"]


def test_an_environment_that_is_promoted_to_has_a_file(folder: Path) -> None:
    (folder / "prod.toml").unlink()

    with pytest.raises(SettingsError, match=r"staging\.toml: promotes_to: there is no prod\.toml"):
        settings.load(folder)


@pytest.mark.parametrize(
    "command", [["github", "staging"], ["parameters", "template.yaml", "staging"]]
)
def test_an_environment_that_there_is_not_is_told(
    folder: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert settings.main(["--folder", str(without_staging(folder)), *command]) == 2

    assert "there is no environment staging, only dev, prod" in capsys.readouterr().err


def test_the_settings_are_written_as_they_were_read(folder: Path, tmp_path: Path) -> None:
    change(folder / "prod.toml", '["us-east-1"]', '["us-east-1", "eu-west-1"]')
    change(folder / "dev.toml", "LogRetentionDays = 30", 'BatchWorkloads = ["a", "b \\"c\\""]')
    with (folder / "prod.toml").open("a", encoding="utf-8") as file:
        file.write('retrain = "rate(1 day)"\n')
    found, there = settings.load(folder), tmp_path / "written"
    there.mkdir()

    for name, text in toml_writing.files(found).items():
        (there / name).write_text(text, encoding="utf-8")

    assert found.environments["dev"].own_parameters == {"BatchWorkloads": 'a,b "c"'}
    assert settings.load(there) == found


def test_a_stale_samconfig_is_told_with_the_command_that_renews_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "dev.toml", "LogRetentionDays = 30", "LogRetentionDays = 60")

    assert settings.main(["--folder", str(folder), "--check"]) == 1
    assert "python -m delivery.settings samconfig" in capsys.readouterr().err


def test_the_template_configuration_is_what_codepipeline_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """CloudFormation User Guide, "CodePipeline artifacts": Parameters, Tags, StackPolicy."""
    assert settings.main(["template-configuration", "staging"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"Parameters", "Tags"}
    assert found["Parameters"]["EnvironmentName"] == "staging"


def test_a_workflow_reads_what_it_may_assume(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings.main(["github", "dev"]) == 0

    lines = dict(line.split("=", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["role"] == "arn:aws:iam::123456789012:role/signalbox-dev-github-us-east-1"
    assert lines["stack"] == "signalbox-dev"
    assert settings.main(["github", "prod"]) == 0
    assert "acceptance_role=\n" in capsys.readouterr().out


def test_parameters_are_printed_by_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings.main(["parameters", "delivery/account.yaml", "prod"]) == 0
    assert "EnvironmentName=prod" in json.loads(capsys.readouterr().out)
    assert settings.main(["parameters", "delivery/pipeline.yaml"]) == 0
    assert "StagingAccount=210987654321" in json.loads(capsys.readouterr().out)
    assert settings.main(["parameters", "delivery/account.yaml", "qa"]) == 2
    assert "qa: no stack of that name" in capsys.readouterr().err


PRINTING = [
    ["parameters", "template.yaml", "dev"],
    ["parameters", "operations"],
    ["template-configuration", "prod"],
    ["github", "staging"],
]


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_who_prints_example_accounts_is_warned_beside_them(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    assert settings.main(command) == 0

    told = capsys.readouterr()
    assert "`signalbox bootstrap` refuses to deploy them" in told.err
    assert 'prod.toml: account = "345678901234"' in told.err
    assert "warning" not in told.out


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_who_prints_accounts_of_their_own_or_for_the_laptop_is_not_warned(
    folder: Path,
    command: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert settings.main(command) == 0
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for path in folder.glob("*.toml"):
        text = path.read_text(encoding="utf-8").replace("example-org", "our-org")
        for number, account in enumerate(examples.ACCOUNTS):
            text = text.replace(account, f"{111111111111 + number}")
        path.write_text(text, encoding="utf-8")

    assert settings.main(["--folder", str(folder), *command]) == 0

    assert capsys.readouterr().err == ""


def test_the_checks_of_a_commit_are_the_pipelines(folder: Path) -> None:
    change(folder / "shared.toml", '"check test"', '"check"')

    pipeline = settings.deployments(settings.load(folder))[-1]

    assert settings.load().checks == "check test"
    assert pipeline.parameters["Checks"] == "check"


def test_a_check_that_is_no_make_target_is_refused(folder: Path) -> None:
    change(folder / "shared.toml", '"check test"', '"check; curl evil"')

    with pytest.raises(SettingsError, match=r"shared\.toml: checks: .*make targets"):
        settings.load(folder)


def test_a_commit_is_a_parameter_and_no_tag() -> None:
    """CloudFormation hands a changed tag of the stack on to every resource."""
    found, commit = settings.load(), "0f914693e8b054596ba0e2a5899c886dc33a8fd2"

    known = json.loads(settings.template_configuration(found, "staging", commit=commit))
    unknown = json.loads(settings.template_configuration(found, "staging"))

    assert [one["Parameters"]["Commit"] for one in (known, unknown)] == [commit, ""]
    assert known["Tags"] == unknown["Tags"] == {"app": "signalbox", "environment": "staging"}


def test_who_approves_and_for_how_long_are_the_pipelines(folder: Path) -> None:
    shared = folder / "shared.toml"
    change(shared, 'approvers = ""', 'approvers = "release@example.com"')
    change(shared, "approval_timeout_minutes = 10080", "approval_timeout_minutes = 60")

    pipeline = settings.deployments(settings.load(folder))[-1]

    assert pipeline.parameters["NotificationEmail"] == "release@example.com"
    assert pipeline.parameters["ApprovalTimeoutMinutes"] == "60"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('approvers = ""', 'approvers = "nobody"', "approvers: 'nobody' cannot be used; write an"),
        ("_minutes = 10080", "_minutes = 4", "_minutes: 4 cannot be used; write 5 to 86400"),
        ("_minutes = 10080", "_minutes = true", "_minutes: True cannot be used"),
    ],
)
def test_an_approval_that_cannot_be_asked_for_is_refused(
    folder: Path, old: str, new: str, problem: str
) -> None:
    change(folder / "shared.toml", old, new)

    with pytest.raises(SettingsError, match=problem):
        settings.load(folder)


def test_data_that_may_be_lost_is_named_by_environment(folder: Path) -> None:
    change(folder / "prod.toml", "[promotion]", 'may_lose = ["OldQueue"]\n\n[promotion]')

    found = settings.load(folder).environments

    assert [found[name].may_lose for name in ("staging", "prod")] == [(), ("OldQueue",)]
