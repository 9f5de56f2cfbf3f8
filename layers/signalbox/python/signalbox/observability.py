"""Logging of the functions: one structured logger, and what must never reach it.

Events of pipeline jobs hold temporary credentials (CodePipeline User Guide, Lambda invoke action,
"Important"), so no event is logged at all: handlers log ids and outcomes by name.
"""

import os

from aws_lambda_powertools import Logger


def logger(service: str) -> Logger:
    """The logger of a function; level from LOG_LEVEL, INFO unless told."""
    return Logger(
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", service),
        level=os.environ.get("LOG_LEVEL", "INFO").upper(),
    )
