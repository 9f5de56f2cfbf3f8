"""What the command tells a person when it cannot go on, and its exit codes.

CommandError               exit 1   anything else that went wrong, said plainly
├── NotFoundError          exit 1   no such run, gate, endpoint, file
├── DataWasRefused         exit 1   a file does not match the manifest; the message says where
├── RunRefused             exit 3   the quality gates refused the model
├── RunFailed              exit 4   the run ended with a fault
└── TargetUnreachableError exit 5   nobody answers, or the credentials are refused
"""


class CommandError(Exception):
    """A message for a person and the exit code of the command."""

    exit_code = 1


class NotFoundError(CommandError):
    """What was asked for does not exist; the message says what does."""


class DataWasRefused(CommandError):
    """A data file was checked and cannot be used."""


class RunRefused(CommandError):
    """The run ended because its model did not meet its gates."""

    exit_code = 3


class RunFailed(CommandError):
    """The run ended with a fault or was stopped."""

    exit_code = 4


class TargetUnreachableError(CommandError):
    """There is nobody to talk to at the chosen target."""

    exit_code = 5
