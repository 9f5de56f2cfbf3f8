"""The part of `moto_seams` that belongs to Step Functions: every private name of the interpreter.

Kept in a module of its own because importing it loads the whole parser of the Amazon States
Language, which a process without state machines need not pay for. Nothing here decides anything:
it names moto's internals once, so that a new version of moto has one file to be read against
(`tests/localaws/test_machines_seams.py` fails first).

Imports moto, and of the project only `moto_patches`.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from moto.core.config import default_user_config
from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.logs.models import logs_backends
from moto.stepfunctions.exceptions import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    InvalidExecutionInput,
)
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser import api, utils
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath
from moto.stepfunctions.parser.asl.component.common.payload.payloadvalue.payloadbinding.payload_binding import (  # noqa: E501
    PayloadBindingStringExpressionSimple,
)
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import (
    MaxAttemptsOutcome,
)
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.intrinsic import jsonata as jsonata_intrinsics
from moto.stepfunctions.parser.asl.component.intrinsic.function.statesfunction.generic.string_format import (  # noqa: E501
    StringFormat,
)
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval import (
    resource_eval_s3 as map_reader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval import (  # noqa: E501
    resource_eval_s3 as map_writer,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import (
    lambda_eval_utils,
    state_task_factory,
    state_task_lambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as task_aws_sdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb as task_dynamodb,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_ecs as task_ecs,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_events as task_events,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_glue as task_glue,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_lambda as task_lambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sfn as task_sfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sns as task_sns,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sqs as task_sqs,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_unsupported as task_unsupported,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (  # noqa: E501
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
    StateTaskLambda,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval import states as eval_states
from moto.stepfunctions.parser.asl.eval import variable_store
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event import event_manager
from moto.stepfunctions.parser.asl.eval.event.logging import is_logging_enabled_for
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.asl.jsonata import jsonata as jsonata_bridge
from moto.stepfunctions.parser.asl.parse import preprocessor as asl_preprocessor
from moto.stepfunctions.parser.asl.parse.asl_parser import (
    AmazonStateLanguageParser,
    ASLParserException,
)
from moto.stepfunctions.parser.asl.parse.intrinsic import preprocessor as intrinsic_preprocessor
from moto.stepfunctions.parser.asl.parse.intrinsic.intrinsic_parser import IntrinsicParser
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import (
    BaseExecutionWorkerCommunication,
    Execution,
)
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.models import (
    StepFunctionsParserBackend,
    stepfunctions_parser_backends,
)
from moto.stepfunctions.responses import StepFunctionResponse

from localaws.moto_seams import patches as moto_patches

# Modules that bound `boto_client_for` by name; the Batch task is a stub on the laptop.
CLIENT_USERS: tuple[ModuleType, ...] = (
    map_reader,
    map_writer,
    lambda_eval_utils,
    task_aws_sdk,
    task_dynamodb,
    task_ecs,
    task_events,
    task_glue,
    task_sfn,
    task_sns,
    task_sqs,
    task_unsupported,
)

# Modules that copy JSON values with `copy.deepcopy`.
COPY_USERS: tuple[ModuleType, ...] = (
    eval_states,
    execute_state,
    string_expression,
    event_manager,
    result_path,
)


def rebind(owner: object, name: str, value: object) -> Any:
    """Replace a name that must exist on `owner`, until the laptop stops; what it was comes back."""
    return moto_patches.replace(owner, name, value)


def execute_state_machines(enabled: bool) -> None:
    """Whether moto interprets definitions, rather than only recording them."""
    moto_patches.put(default_user_config, "stepfunctions", {"execute_state_machine": enabled})


def forget_threads() -> None:
    """Empty moto's list of every thread it ever started, which nothing reads."""
    utils.TMP_THREADS.clear()


def register_service(name: str, make_task: Callable[[], Any]) -> None:
    """Let `Resource: arn:aws:states:::<name>:*` be interpreted by `make_task()`."""
    original = state_task_factory.state_task_service_for

    def service_for(service_name: str) -> Any:
        return make_task() if service_name == name else original(service_name=service_name)

    moto_patches.replace(state_task_factory, "state_task_service_for", service_for)


__all__ = [
    "CLIENT_USERS",
    "COPY_USERS",
    "ASLParserException",
    "AWSError",
    "ActionResult",
    "AmazonStateLanguageParser",
    "BaseExecutionWorkerCommunication",
    "CustomErrorName",
    "EmptyResult",
    "Environment",
    "EvalComponent",
    "EvalTimeoutError",
    "Execution",
    "ExecutionAlreadyExists",
    "ExecutionDoesNotExist",
    "ExecutionState",
    "ExecutionWorker",
    "FailureEvent",
    "FailureEventException",
    "IntrinsicParser",
    "InvalidExecutionInput",
    "MaxAttemptsOutcome",
    "PayloadBindingStringExpressionSimple",
    "Program",
    "ProgramEnded",
    "ProgramStopped",
    "ProgramTimedOut",
    "ResourceCondition",
    "ResultPath",
    "RetrierDecl",
    "RetrierOutcome",
    "StateCredentials",
    "StateMachine",
    "StateTask",
    "StateTaskLambda",
    "StateTaskService",
    "StateTaskServiceCallback",
    "StatesErrorName",
    "StatesErrorNameType",
    "StepFunctionResponse",
    "StepFunctionsParserBackend",
    "StringFormat",
    "Timestamp",
    "WaitFunction",
    "api",
    "asl_preprocessor",
    "default_user_config",
    "eval_states",
    "event_manager",
    "execute_state",
    "execute_state_machines",
    "forget_threads",
    "intrinsic_preprocessor",
    "is_logging_enabled_for",
    "json_path",
    "jsonata_bridge",
    "jsonata_intrinsics",
    "lambda_eval_utils",
    "logs_backends",
    "map_reader",
    "map_writer",
    "rebind",
    "register_service",
    "result_path",
    "state",
    "state_task_factory",
    "state_task_lambda",
    "stepfunctions_parser_backends",
    "string_expression",
    "task_aws_sdk",
    "task_dynamodb",
    "task_ecs",
    "task_events",
    "task_glue",
    "task_lambda",
    "task_sfn",
    "task_sns",
    "task_sqs",
    "task_unsupported",
    "to_json_str",
    "utils",
    "variable_store",
]
