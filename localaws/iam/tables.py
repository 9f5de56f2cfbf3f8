"""Which resource each operation acts on, and what its IAM action is called; S3 is elsewhere.

Rules: Service Authorization Reference, one page per service, tables "Actions" and "Resource types"
(read 2026-11). Data only. A row reads: resource -> the operations that act on it; an operation
under several resources needs each of them; `{Name}` is a parameter of the request (`a.b` nested,
`A|B` the first given), and one that holds an ARN already stands for the whole resource.

An operation that is missing here is decided on the resource ``*``, which only a policy that is not
limited to resources allows: the gap closes a door, it does not open one.
"""

from collections.abc import Mapping

SAGEMAKER: Mapping[str, str] = {
    "training-job/{TrainingJobName}": (
        "CreateTrainingJob DescribeTrainingJob StopTrainingJob UpdateTrainingJob DeleteTrainingJob"
    ),
    "processing-job/{ProcessingJobName}": (
        "CreateProcessingJob DescribeProcessingJob StopProcessingJob DeleteProcessingJob"
    ),
    "transform-job/{TransformJobName}": (
        "CreateTransformJob DescribeTransformJob StopTransformJob"
    ),
    "model/{ModelName}": "CreateModel DescribeModel DeleteModel",
    "endpoint-config/{EndpointConfigName}": (
        "CreateEndpoint UpdateEndpoint CreateEndpointConfig DescribeEndpointConfig "
        "DeleteEndpointConfig"
    ),
    "endpoint/{EndpointName}": (
        "CreateEndpoint UpdateEndpoint DescribeEndpoint DeleteEndpoint "
        "UpdateEndpointWeightsAndCapacities InvokeEndpoint InvokeEndpointAsync "
        "InvokeEndpointWithResponseStream"
    ),
    "model-package-group/{ModelPackageGroupName}": (
        "CreateModelPackageGroup DescribeModelPackageGroup DeleteModelPackageGroup "
        "PutModelPackageGroupPolicy GetModelPackageGroupPolicy DeleteModelPackageGroupPolicy "
        "CreateModelPackage ListModelPackages"
    ),
    "model-package/{ModelPackageGroupName|ModelPackageName}/*": (
        "CreateModelPackage ListModelPackages"
    ),
    "model-package/{ModelPackageName|ModelPackageArn}": (
        "DescribeModelPackage UpdateModelPackage DeleteModelPackage"
    ),
    "pipeline/{PipelineName}": (
        "CreatePipeline UpdatePipeline DescribePipeline DeletePipeline StartPipelineExecution"
    ),
    "model-card/{ModelCardName}": (
        "CreateModelCard UpdateModelCard DescribeModelCard DeleteModelCard"
    ),
    "{ResourceArn}": "AddTags ListTags DeleteTags",
}

STATES: Mapping[str, str] = {
    "stateMachine:{name}": "CreateStateMachine",
    "{stateMachineArn}": (
        "DescribeStateMachine UpdateStateMachine DeleteStateMachine StartExecution "
        "StartSyncExecution ListExecutions ListStateMachineVersions PublishStateMachineVersion "
        "ListStateMachineAliases"
    ),
    "{stateMachineAliasArn}": (
        "DescribeStateMachineAlias UpdateStateMachineAlias DeleteStateMachineAlias"
    ),
    "{executionArn}": (
        "DescribeExecution StopExecution GetExecutionHistory DescribeStateMachineForExecution "
        "RedriveExecution ListMapRuns"
    ),
    "{mapRunArn}": "DescribeMapRun UpdateMapRun",
    "activity:{name}": "CreateActivity",
    "{activityArn}": "DescribeActivity DeleteActivity GetActivityTask",
    "{resourceArn}": "TagResource UntagResource ListTagsForResource",
}

LAMBDA: Mapping[str, str] = {
    "function:{FunctionName}": (
        "CreateFunction GetFunction GetFunctionConfiguration UpdateFunctionCode "
        "UpdateFunctionConfiguration DeleteFunction Invoke InvokeAsync PublishVersion "
        "ListVersionsByFunction CreateAlias GetAlias UpdateAlias DeleteAlias ListAliases "
        "AddPermission RemovePermission GetPolicy PutFunctionConcurrency "
        "GetFunctionConcurrency DeleteFunctionConcurrency PutFunctionEventInvokeConfig "
        "GetFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig "
        "DeleteFunctionEventInvokeConfig ListFunctionEventInvokeConfigs "
        "GetFunctionCodeSigningConfig GetRuntimeManagementConfig PutRuntimeManagementConfig "
        "GetFunctionRecursionConfig CreateFunctionUrlConfig GetFunctionUrlConfig"
    ),
    "layer:{LayerName}": "PublishLayerVersion",
    "layer:{LayerName}:{VersionNumber}": (
        "GetLayerVersion DeleteLayerVersion AddLayerVersionPermission GetLayerVersionPolicy "
        "RemoveLayerVersionPermission"
    ),
    "{Arn}": "GetLayerVersionByArn",
    "{Resource}": "TagResource UntagResource ListTags",
    "event-source-mapping:{UUID}": (
        "GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping"
    ),
}

CODEPIPELINE: Mapping[str, str] = {
    "{pipeline.name}": "CreatePipeline UpdatePipeline",
    "{name}": "GetPipeline DeletePipeline StartPipelineExecution GetPipelineState",
    "{pipelineName}": (
        "GetPipelineExecution ListPipelineExecutions ListActionExecutions StopPipelineExecution "
        "ListRuleExecutions"
    ),
    "{pipelineName}/{stageName}": (
        "RetryStageExecution RollbackStage EnableStageTransition DisableStageTransition "
        "OverrideStageCondition"
    ),
    "{pipelineName}/{stageName}/{actionName}": "PutApprovalResult PutActionRevision",
    "{resourceArn}": "TagResource UntagResource ListTagsForResource",
}

CODEBUILD: Mapping[str, str] = {
    "project/{name}": "CreateProject UpdateProject DeleteProject",
    "project/{projectName}": "StartBuild ListBuildsForProject InvalidateProjectCache",
}

CODEDEPLOY: Mapping[str, str] = {
    "application:{applicationName}": (
        "CreateApplication GetApplication UpdateApplication DeleteApplication "
        "RegisterApplicationRevision GetApplicationRevision BatchGetApplicationRevisions "
        "ListApplicationRevisions ListDeploymentGroups"
    ),
    "deploymentgroup:{applicationName}/{deploymentGroupName|currentDeploymentGroupName}": (
        "CreateDeploymentGroup GetDeploymentGroup UpdateDeploymentGroup DeleteDeploymentGroup "
        "CreateDeployment ListDeployments"
    ),
    "deploymentconfig:{deploymentConfigName}": (
        "CreateDeploymentConfig GetDeploymentConfig DeleteDeploymentConfig"
    ),
    "{ResourceArn}": "TagResource UntagResource ListTagsForResource",
}

SNS: Mapping[str, str] = {
    "{Name}": "CreateTopic",
    "{TopicArn|TargetArn}": (
        "Publish PublishBatch Subscribe ConfirmSubscription GetTopicAttributes "
        "SetTopicAttributes DeleteTopic ListSubscriptionsByTopic AddPermission RemovePermission"
    ),
    "{SubscriptionArn}": "Unsubscribe GetSubscriptionAttributes SetSubscriptionAttributes",
    "{ResourceArn}": "TagResource UntagResource ListTagsForResource",
}

SSM: Mapping[str, str] = {
    "parameter/{Name}": (
        "PutParameter GetParameter DeleteParameter GetParameterHistory LabelParameterVersion"
    ),
    "parameter/{Path}": "GetParametersByPath",
    "parameter/{ResourceId}": "AddTagsToResource RemoveTagsFromResource ListTagsForResource",
}

_GROUP = "log-group:{logGroupName|logGroupIdentifier}"
LOGS: Mapping[str, str] = {
    f"{_GROUP}:log-stream:": (
        "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy "
        "DescribeLogStreams FilterLogEvents PutMetricFilter DeleteMetricFilter "
        "DescribeMetricFilters PutSubscriptionFilter DeleteSubscriptionFilter "
        "DescribeSubscriptionFilters AssociateKmsKey DisassociateKmsKey TagLogGroup "
        "ListTagsLogGroup StartQuery"
    ),
    f"{_GROUP}:log-stream:{{logStreamName}}": (
        "CreateLogStream DeleteLogStream PutLogEvents GetLogEvents"
    ),
    "{resourceArn}": "TagResource UntagResource ListTagsForResource",
}

SECRETS: Mapping[str, str] = {
    "secret:{Name}-??????": "CreateSecret",
}

QUOTAS: Mapping[str, str] = {
    "{ServiceCode}/{QuotaCode}": "RequestServiceQuotaIncrease",
}

CONNECTIONS: Mapping[str, str] = {
    "{ConnectionArn}": "GetConnection DeleteConnection UseConnection",
}

CLOUDWATCH: Mapping[str, str] = {
    "alarm:{AlarmName}": "PutMetricAlarm SetAlarmState DescribeAlarmHistory",
    "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}": "PutDashboard GetDashboard",
    "{ResourceARN}": "TagResource UntagResource ListTagsForResource",
}

TABLES: Mapping[str, Mapping[str, str]] = {
    "sagemaker": SAGEMAKER,
    "states": STATES,
    "lambda": LAMBDA,
    "codepipeline": CODEPIPELINE,
    "codebuild": CODEBUILD,
    "codedeploy": CODEDEPLOY,
    "sns": SNS,
    "ssm": SSM,
    "logs": LOGS,
    "secretsmanager": SECRETS,
    "servicequotas": QUOTAS,
    "codestar-connections": CONNECTIONS,
    "cloudwatch": CLOUDWATCH,
}

ACTION_NAMES: Mapping[str, str] = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "lambda:InvokeAsync": "lambda:InvokeFunction",
    "lambda:GetLayerVersionByArn": "lambda:GetLayerVersion",
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sagemaker:InvokeEndpointWithResponseStream": "sagemaker:InvokeEndpoint",
}
"""Operations whose IAM action has another name."""

PASSED_ROLES: Mapping[str, tuple[str, ...]] = {
    "sagemaker": ("RoleArn", "ExecutionRoleArn"),
    "states": ("roleArn",),
    "lambda": ("Role",),
    "codebuild": ("serviceRole",),
    "codedeploy": ("serviceRoleArn",),
    "codepipeline": ("pipeline.roleArn", "pipeline.stages.actions.roleArn"),
    "events": ("RoleArn", "Targets.RoleArn"),
    "scheduler": ("Target.RoleArn",),
    "logs": ("roleArn",),
    "cloudformation": ("RoleARN",),
}
"""Parameters by which a caller hands a role to a service, which takes iam:PassRole on that role."""

ASSUMED_ROLES = frozenset({"pipeline.stages.actions.roleArn"})
"""Those of them that may be of another account: they are assumed, not passed, then."""
