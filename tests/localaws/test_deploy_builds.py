"""A stack with a CodeBuild project and the pipeline that uses it: made, changed, deleted."""

from pathlib import Path
from textwrap import dedent

import pytest
from botocore.exceptions import ClientError

from localaws.clients import developer_client
from localaws.deploy import DeployRequest, DeployResult, TemplateInvalid, deploy, destroy
from localaws.server import LaptopServer
from tests.localaws.pipeline_bench import ACCOUNT, REGION

TEMPLATE = """
Parameters: {Minutes: {Type: Number, Default: 10}}
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: delivery-store}}
  BuildRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: codebuild.amazonaws.com}
            Action: sts:AssumeRole
            Condition:
              ArnLike: {"aws:SourceArn": !Sub "arn:aws:codebuild:*:${AWS::AccountId}:project/*"}
              StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}
  PipelineRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: codepipeline.amazonaws.com}
            Action: sts:AssumeRole
  Project:
    Type: AWS::CodeBuild::Project
    Properties:
      Description: checks and packages
      ServiceRole: !GetAtt BuildRole.Arn
      Source: {Type: CODEPIPELINE, BuildSpec: delivery/build.yml}
      Artifacts: {Type: CODEPIPELINE}
      Environment:
        Type: ARM_CONTAINER
        Image: aws/codebuild/amazonlinux-aarch64-standard:3.0
        ComputeType: BUILD_GENERAL1_SMALL
        PrivilegedMode: false
        EnvironmentVariables:
          - {Name: STORE, Value: !Ref Bucket}
          - {Name: TOKEN, Value: /delivery/token, Type: PARAMETER_STORE}
      Cache: {Type: LOCAL, Modes: [LOCAL_CUSTOM_CACHE]}
      LogsConfig: {CloudWatchLogs: {Status: ENABLED, GroupName: /aws/codebuild/delivery}}
      TimeoutInMinutes: !Ref Minutes
      Tags: [{Key: app, Value: signalbox}]
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      RoleArn: !GetAtt PipelineRole.Arn
      PipelineType: V2
      ArtifactStores:
        - {Region: !Ref AWS::Region, ArtifactStore: {Type: S3, Location: !Ref Bucket}}
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: "1"}
              Configuration: {S3Bucket: !Ref Bucket, S3ObjectKey: source.zip}
              OutputArtifacts: [{Name: Source}]
        - Name: Build
          Actions:
            - Name: Build
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: "1"}
              Configuration: {ProjectName: !Ref Project}
              InputArtifacts: [{Name: Source}]
Outputs:
  Project: {Value: !Ref Project}
  Arn: {Value: !GetAtt Project.Arn}
  Pipeline: {Value: !Ref Pipeline}
"""


def request(
    folder: Path, text: str = TEMPLATE, stack: str = "delivery", **parameters: str
) -> DeployRequest:
    path = folder / "template.yaml"
    path.write_text(dedent(text))
    return DeployRequest(path, stack, parameters, build_dir=folder / "build")


def actions(result: DeployResult) -> dict[str, str]:
    return {change.logical_id: change.action.value for change in result.changes}


def test_a_project_and_its_pipeline_are_made_changed_and_deleted(
    laptop: LaptopServer, tmp_path: Path
):
    codebuild, codepipeline = developer_client("codebuild"), developer_client("codepipeline")

    made = deploy(request(tmp_path), developer_client)
    name = made.outputs["Project"]
    (project,) = codebuild.batch_get_projects(names=[name])["projects"]
    declared = codepipeline.get_pipeline(name=made.outputs["Pipeline"])["pipeline"]
    again = deploy(request(tmp_path), developer_client)
    longer = deploy(request(tmp_path, Minutes="20"), developer_client)
    (changed,) = codebuild.batch_get_projects(names=[name])["projects"]
    destroy("delivery", developer_client)

    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"
    assert (made.outputs["Arn"], project["arn"]) == (arn, arn)
    assert project["source"] == {"type": "CODEPIPELINE", "buildspec": "delivery/build.yml"}
    assert project["environment"]["environmentVariables"][1]["type"] == "PARAMETER_STORE"
    assert project["logsConfig"]["cloudWatchLogs"]["groupName"] == "/aws/codebuild/delivery"
    assert project["timeoutInMinutes"] == 10
    assert declared["artifactStores"][REGION]["location"] == "delivery-store"
    assert {name for name, action in actions(again).items() if action != "keep"} == set()
    assert actions(longer)["Project"] == "update"
    assert (changed["timeoutInMinutes"], changed["created"]) == (20, project["created"])
    assert codebuild.batch_get_projects(names=[name])["projectsNotFound"] == [name]
    with pytest.raises(ClientError, match="PipelineNotFound"):
        codepipeline.get_pipeline(name=made.outputs["Pipeline"])


def test_properties_beyond_the_laptop_are_refused_before_anything_is_made(
    laptop: LaptopServer, tmp_path: Path
):
    text = TEMPLATE.replace("Cache: {", "Triggers: {Webhook: true}\n      Cache: {")

    with pytest.raises(TemplateInvalid, match="Triggers"):
        deploy(request(tmp_path, text, "refused"), developer_client)

    listed = developer_client("codebuild").list_projects()["projects"]
    assert [name for name in listed if name.startswith("refused")] == []
