"""delivery/account.yaml: what its roles may, beside what is deployed with them."""

import functools
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from delivery import settings
from delivery.model import ENVIRONMENT_ROLES, OPERATIONS_ROLES
from localaws.deployer import template as templates
from tests.contracts import repository
from tests.contracts.repository import Statement

DOCUMENT = templates.read(repository.ROOT / "delivery" / "account.yaml")
ROLES = repository.resources("AWS::IAM::Role", DOCUMENT)

# What the handlers of a resource type ask for, but only for properties that template.yaml does not
# have. Each with what would need it.
NOT_NEEDED = {
    "AWS::CodeDeploy::DeploymentGroup": {
        "codedeploy:RegisterOnPremisesInstance": "OnPremisesInstanceTagFilters",
    },
    "AWS::CodePipeline::Pipeline": {
        "codepipeline:DisableStageTransition": "DisableInboundStageTransitions",
        "codepipeline:EnableStageTransition": "DisableInboundStageTransitions",
        "codepipeline:StartPipelineExecution": "RestartExecutionOnUpdate",
    },
    "AWS::IAM::Role": {
        "iam:DeleteRolePermissionsBoundary": "a role without its boundary, which is refused",
    },
    "AWS::Lambda::Alias": {
        "lambda:DeleteProvisionedConcurrencyConfig": "ProvisionedConcurrencyConfig",
        "lambda:PutProvisionedConcurrencyConfig": "ProvisionedConcurrencyConfig",
    },
    "AWS::Lambda::EventSourceMapping": {
        "kms:DescribeKey": "KmsKeyArn",
        "kms:GenerateDataKey": "KmsKeyArn",
        "kms:Decrypt": "KmsKeyArn",
    },
    "AWS::Lambda::Function": {
        "ec2:DescribeNetworkInterfaces": "VpcConfig",
        "ec2:DescribeSecurityGroups": "VpcConfig",
        "ec2:DescribeSubnets": "VpcConfig",
        "ec2:DescribeVpcs": "VpcConfig",
        "elasticfilesystem:DescribeMountTargets": "FileSystemConfigs",
        "s3files:ListMountTargets": "FileSystemConfigs",
        "kms:CreateGrant": "KmsKeyArn",
        "kms:Encrypt": "KmsKeyArn",
        "kms:GenerateDataKey": "KmsKeyArn",
        "lambda:GetCodeSigningConfig": "CodeSigningConfigArn",
        "lambda:PutFunctionCodeSigningConfig": "CodeSigningConfigArn",
        "lambda:DeleteFunctionCodeSigningConfig": "CodeSigningConfigArn",
        "lambda:PutFunctionScalingConfig": "FunctionScalingConfig",
        "lambda:PassCapacityProvider": "CapacityProviderConfig",
        "lambda:AssociateRuntimeAlias": "RuntimeManagementConfig",
    },
    "AWS::Lambda::Version": {
        "lambda:PutFunctionScalingConfig": "FunctionScalingConfig",
        "lambda:PutProvisionedConcurrencyConfig": "ProvisionedConcurrencyConfig",
    },
    "AWS::Logs::LogGroup": {
        "logs:PutDataProtectionPolicy": "DataProtectionPolicy",
        "logs:CreateLogDelivery": "DataProtectionPolicy",
        "firehose:TagDeliveryStream": "DataProtectionPolicy",
        "s3:REST.PUT.OBJECT": "no action of S3's",
        "logs:PutResourcePolicy": "ResourcePolicyDocument",
        "logs:DeleteResourcePolicy": "ResourcePolicyDocument",
        "logs:PutIndexPolicy": "FieldIndexPolicies",
        "logs:PutBearerTokenAuthentication": "BearerTokenAuthenticationEnabled",
        "logs:PutLogGroupDeletionProtection": "DeletionProtectionEnabled",
    },
    "AWS::S3::Bucket": {
        "iam:PassRole": "ReplicationConfiguration",
        "s3:CreateBucketMetadataTableConfiguration": "MetadataConfiguration",
        "s3tables:CreateNamespace": "MetadataConfiguration",
        "s3tables:CreateTable": "MetadataConfiguration",
        "s3tables:CreateTableBucket": "MetadataConfiguration",
        "s3tables:GetTable": "MetadataConfiguration",
        "s3tables:GetTableMetadataLocation": "MetadataConfiguration",
        "s3tables:PutTableBucketPolicy": "MetadataConfiguration",
        "s3tables:PutTableEncryption": "MetadataConfiguration",
        "s3tables:PutTablePolicy": "MetadataConfiguration",
        "s3tables:UpdateTableMetadataLocation": "MetadataConfiguration",
        "s3:DeleteBucketMetadataTableConfiguration": "MetadataConfiguration",
        "s3:UpdateBucketMetadataAnnotationTableConfiguration": "MetadataConfiguration",
        "s3:UpdateBucketMetadataInventoryTableConfiguration": "MetadataConfiguration",
        "s3:UpdateBucketMetadataJournalTableConfiguration": "MetadataConfiguration",
        "s3:DeleteBucketAnalyticsConfiguration": "AnalyticsConfigurations",
        "s3:PutAnalyticsConfiguration": "AnalyticsConfigurations",
        "s3:DeleteBucketCors": "CorsConfiguration",
        "s3:PutBucketCORS": "CorsConfiguration",
        "s3:DeleteBucketEncryption": "no action of S3's",
        "s3:DeleteBucketLifecycle": "no action of S3's",
        "s3:DeleteBucketMetricsConfiguration": "MetricsConfigurations",
        "s3:PutMetricsConfiguration": "MetricsConfigurations",
        "s3:DeleteBucketReplication": "ReplicationConfiguration",
        "s3:PutBucketReplication": "ReplicationConfiguration",
        "s3:PutReplicationConfiguration": "ReplicationConfiguration",
        "s3:DeleteBucketWebsite": "WebsiteConfiguration",
        "s3:PutBucketWebsite": "WebsiteConfiguration",
        "s3:DeleteObject": "what a bucket holds is not CloudFormation's to delete",
        "s3:PutAccelerateConfiguration": "AccelerateConfiguration",
        "s3:PutBucketAbac": "AbacStatus",
        "s3:PutBucketAcl": "AccessControl",
        "s3:PutObjectAcl": "AccessControl",
        "s3:PutBucketLogging": "LoggingConfiguration",
        "s3:PutBucketObjectLockConfiguration": "ObjectLockConfiguration",
        "s3:PutObjectLockConfiguration": "ObjectLockConfiguration",
        "s3:PutIntelligentTieringConfiguration": "IntelligentTieringConfigurations",
        "s3:PutInventoryConfiguration": "InventoryConfigurations",
    },
    "AWS::SNS::Topic": {
        "sns:PutDataProtectionPolicy": "DataProtectionPolicy",
    },
    "AWS::SecretsManager::Secret": {
        "secretsmanager:GetRandomPassword": "GenerateSecretString",
        "secretsmanager:ReplicateSecretToRegions": "ReplicaRegions",
        "secretsmanager:RemoveRegionsFromReplication": "ReplicaRegions",
    },
    "AWS::StepFunctions::StateMachine": {
        "kms:DescribeKey": "EncryptionConfiguration",
        "kms:GenerateDataKey": "EncryptionConfiguration",
        "kms:Decrypt": "EncryptionConfiguration",
    },
}

# What the role may beyond that, each with the reason.
MORE = {
    "cloudformation:CreateChangeSet": "the SAM transform is decided as a change set of its own",
    "lambda:GetFunctionConfiguration": "waiting for a function to become active",
    "codeconnections:PassConnection": "as codestar-connections:, by the connection's own spelling",
    "iam:ListRoleTags": "the type's tagging permissions, beside its handlers",
}


def statements(role: str) -> list[Statement]:
    """Those of a role's own policies and of the managed ones that it has."""
    found = [s for s in repository.role_statements(DOCUMENT) if s.owner == role]
    policies = repository.resources("AWS::IAM::ManagedPolicy", DOCUMENT)
    for arn in ROLES[role].get("ManagedPolicyArns", []):
        found += repository.statements_of(policies[arn["Ref"]]["PolicyDocument"], role)
    return found


def granted(role: str) -> set[str]:
    return {action for s in statements(role) if s.allows for action in s.actions}


@functools.cache
def asked(kind: str) -> frozenset[str]:
    """What CloudFormation calls to create, read, update and delete a resource of one type.

    From the CloudFormation registry's schemas, as cfn-lint ships them.
    """
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(repository.REGION, kind).schema
    calls: dict[str, Any] = schema["handlers"]
    return frozenset(p for verb in calls if verb != "list" for p in calls[verb]["permissions"])


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return repository.expanded(tmp_path_factory.mktemp("expanded"))


def test_cloudformation_may_do_what_its_handlers_ask_for(deployed: dict[str, Any]) -> None:
    may = granted("CloudFormationRole")
    kinds = sorted({resource["Type"] for resource in deployed["Resources"].values()})
    missing = {kind: sorted(asked(kind) - may - set(NOT_NEEDED.get(kind, {}))) for kind in kinds}

    assert {kind: actions for kind, actions in missing.items() if actions} == {}


def test_cloudformation_may_do_no_more(deployed: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in deployed["Resources"].values()}
    wanted = {action for kind in kinds for action in asked(kind)}
    unused = {kind: sorted(set(NOT_NEEDED[kind]) - asked(kind)) for kind in NOT_NEEDED}

    assert sorted(granted("CloudFormationRole") - wanted - set(MORE)) == []
    assert {kind: actions for kind, actions in unused.items() if actions} == {}


def test_cloudformation_makes_no_role_without_the_boundary() -> None:
    """Where requests carry iam:PermissionsBoundary: Service Authorization Reference, IAM."""
    raising = {
        *("iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy"),
        *("iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"),
    }
    for statement in statements("CloudFormationRole"):
        if statement.allows and raising & set(statement.actions):
            assert statement.body["Condition"] == {
                "ArnEquals": {"iam:PermissionsBoundary": {"Ref": "Boundary"}}
            }
            assert raising == set(statement.actions)
    assert "iam:DeleteRolePermissionsBoundary" not in granted("CloudFormationRole")
    assert not [a for a in granted("CloudFormationRole") if "PolicyVersion" in a]


def test_cloudformation_leaves_the_roles_of_the_delivery_alone() -> None:
    (denial,) = (s for s in statements("CloudFormationRole") if not s.allows)
    names = [resource["Fn::Sub"].rsplit("/", 1)[1] for resource in denial.resources]

    assert names == [
        f"${{AppName}}-${{EnvironmentName}}-{kind}-*" for kind in sorted(ENVIRONMENT_ROLES)
    ]
    changing = {a for a in granted("CloudFormationRole") if a.startswith("iam:")}
    reading = {a for a in changing if a.split(":")[1].startswith(("Get", "List"))}
    assert set(denial.actions) == changing - reading


def test_every_role_of_the_control_plane_has_the_boundary() -> None:
    for name, role in repository.resources("AWS::IAM::Role").items():
        wanted = ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]
        assert role["PermissionsBoundary"] == {"Fn::If": wanted}, name


def test_the_boundary_is_what_the_roles_have_together() -> None:
    boundary = repository.resources("AWS::IAM::ManagedPolicy", DOCUMENT)["Boundary"]
    bounded = [
        action
        for statement in repository.statements_of(boundary["PolicyDocument"], "Boundary")
        for action in statement.actions
    ]
    held = {a for s in repository.role_statements() for a in s.actions if s.allows}

    assert sorted(bounded) == sorted(held)


def name_in_template(role: dict[str, Any], environment: str) -> str:
    text: str = role["RoleName"]["Fn::Sub"]
    for placeholder, value in (
        ("AppName", "signalbox"),
        ("EnvironmentName", environment),
        ("AWS::Region", "us-east-1"),
    ):
        text = text.replace(f"${{{placeholder}}}", value)
    return text


def test_roles_have_the_names_that_the_settings_say() -> None:
    found = settings.load()
    here = {name_in_template(role, "dev") for role in ROLES.values()}
    told = {found.role_name("dev", kind) for kind in ENVIRONMENT_ROLES}
    told |= {found.role_name("operations", kind) for kind in OPERATIONS_ROLES}

    assert here == told


def test_buckets_and_boundary_have_the_names_that_the_settings_say() -> None:
    found = settings.load()
    (bucket,) = repository.resources("AWS::S3::Bucket", DOCUMENT).values()
    boundary = repository.resources("AWS::IAM::ManagedPolicy", DOCUMENT)["Boundary"]

    _, *names = bucket["BucketName"]["Fn::If"]
    assert [name["Fn::Sub"] for name in names] == [
        "${AppName}-data-${AWS::AccountId}-${AWS::Region}",
        "${AppName}-delivery-${AWS::AccountId}-${AWS::Region}",
    ]
    assert found.data_bucket == "signalbox-data-678901234567-us-east-1"
    assert found.artifact_bucket == "signalbox-delivery-567890123456-us-east-1"
    pattern = boundary["ManagedPolicyName"]["Fn::Sub"]
    assert pattern == "${AppName}-${EnvironmentName}-boundary-${AWS::Region}"
    assert found.environments["prod"].boundary_arn() == (
        "arn:aws:iam::345678901234:policy/signalbox-prod-boundary-us-east-1"
    )


def test_the_settings_give_only_parameters_that_the_templates_have() -> None:
    found = settings.load()
    for deployment in settings.deployments(found):
        path = repository.ROOT / deployment.template
        declared = set(templates.read(path)["Parameters"])
        given = {*deployment.parameters, *(f.parameter for f in deployment.from_outputs)}
        assert given <= declared, deployment.name
    for environment in found.environments.values():
        assert set(environment.parameters) <= set(repository.template()["Parameters"])


def test_a_build_that_runs_the_repositorys_code_cannot_deploy() -> None:
    """It would go round the approval: previews are prepared by a role that can execute none."""
    assert "sts:AssumeRole" in granted("BuildRole")
    reached = [
        s.resources[0]["Fn::Sub"]
        for s in repository.role_statements(DOCUMENT)
        if s.owner in ("BuildRole", "AcceptanceBuildRole") and "sts:AssumeRole" in s.actions
    ]
    assert [arn.split(":role/")[1] for arn in reached] == [
        "${AppName}-*-preview-*",
        "${AppName}-staging-acceptance-*",
    ]
    executing = {"cloudformation:ExecuteChangeSet", "iam:PassRole"}
    assert not executing & (granted("PreviewRole") | granted("BuildRole"))


def test_workflows_become_others_and_do_nothing_themselves() -> None:
    assert granted("GitHubRole") == {"sts:AssumeRole"}
