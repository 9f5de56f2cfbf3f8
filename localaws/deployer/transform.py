"""The SAM transform, done offline by AWS's own translator.

The translator costs 0.6 s and 50 MB to import, so its answer is kept under the build directory,
by digest of everything it depends on; an unchanged template never imports it.
"""

import copy
import hashlib
import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from localaws.deployer.errors import Problem, TemplateInvalid, invalid
from localaws.errors import LocalAwsError

TRANSFORM = "AWS::Serverless-2016-10-31"


def expanded(
    template: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    region: str,
    cache: Path,
    apart: bool = False,
) -> dict[str, Any]:
    """`template` without serverless types; local paths must have been packaged before.

    `apart` translates in a process of its own: the server keeps its memory.
    """
    others = [name for name in transforms(template) if name != TRANSFORM]
    if others:
        raise invalid("/Transform", f"transform {others[0]} is not supported")
    if TRANSFORM not in transforms(template):
        return copy.deepcopy(dict(template))
    basis = [template, parameters, region, version("aws-sam-translator")]
    digest = hashlib.sha256(json.dumps(basis, sort_keys=True, default=str).encode()).hexdigest()
    kept = cache / f"{digest}.json"
    if not kept.exists():
        translate = _translate_apart if apart else _translate
        answer = json.dumps(translate(template, parameters, region))
        cache.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(answer, encoding="utf-8")
        partial.replace(kept)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def transforms(template: Mapping[str, Any]) -> list[str]:
    """Names of the macros that a template asks for."""
    stated = template.get("Transform", [])
    return stated if isinstance(stated, list) else [stated]


def _translate(
    template: Mapping[str, Any], parameters: Mapping[str, Any], region: str
) -> dict[str, Any]:
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator

    # The translator complains at its end that nobody asked for its usage metrics,
    logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)
    # and at every deployment preference that it has not been given AWS's own feature toggles.
    logging.getLogger("samtranslator.feature_toggle").setLevel(logging.ERROR)
    translator = Translator({}, Parser(), boto_session=_Region(region))
    try:
        answer: dict[str, Any] = translator.translate(
            copy.deepcopy(dict(template)), dict(parameters)
        )
    except InvalidDocumentException as error:
        raise TemplateInvalid(tuple(_problem(cause) for cause in error.causes)) from error
    return answer


def _translate_apart(
    template: Mapping[str, Any], parameters: Mapping[str, Any], region: str
) -> dict[str, Any]:
    asked = json.dumps([template, parameters, region], default=str)
    command = [sys.executable, "-m", "localaws.deployer.transform"]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LocalAwsError(f"the SAM transform ended with {done.returncode}: {done.stderr[-800:]}")
    answer = json.loads(done.stdout)
    if "problems" in answer:
        raise TemplateInvalid(tuple(Problem(**problem) for problem in answer["problems"]))
    translated: dict[str, Any] = answer["template"]
    return translated


def _main() -> None:
    """Answer one question of `_translate_apart`: JSON in, JSON out."""
    template, parameters, region = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"template": _translate(template, parameters, region)}
    except TemplateInvalid as error:
        answer = {"problems": [asdict(problem) for problem in error.problems]}
    json.dump(answer, sys.stdout)


def _problem(cause: Exception) -> Problem:
    logical_id = str(getattr(cause, "_logical_id", ""))
    return Problem(f"/Resources/{logical_id}", str(getattr(cause, "message", cause)), logical_id)


class _Region:
    """All that the translator asks of a boto3 session."""

    def __init__(self, region_name: str) -> None:
        self.region_name = region_name


if __name__ == "__main__":
    _main()
