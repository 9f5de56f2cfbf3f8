"""Everything that the delivery pipeline deploys, as one folder: packages, parameters, previews.

    python -m delivery.bundle
    python -m delivery.bundle review

Leaves .aws-sam/delivery/staging/, prod/ and, for further regions, prod-REGION/, each with
packaged.yaml, template-configuration.json and preview.txt. Previews are made under the target's own
preview role, which can deploy nothing; code is uploaded as the caller. A review, under the same
role, looks at the change sets that the pipeline has prepared in prod, and leaves prod/changes.txt
and review.env, one line in a variable for whoever decides.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from delivery import settings
from delivery.model import Settings
from delivery.package import CONFIGURATION, OUTPUT, PACKAGED, PackageError, package
from delivery.toml_reading import SettingsError

FOLDER = OUTPUT / "delivery"
ENVIRONMENTS = ("staging", "prod")
_LONGEST_SUMMARY = 250  # an approval shows 1000 characters, half of them the evidence


def places(found: Settings) -> Iterator[tuple[str, str, Path]]:
    """Environment, region and folder of each deployment, the home region of each first."""
    for environment in ENVIRONMENTS:
        known = settings.environment_named(found, environment)
        for region in known.regions:
            name = environment if region == known.region else f"{environment}-{region}"
            yield environment, region, FOLDER / name


def bundle(found: Settings) -> None:
    """Package and preview for every place; raises PackageError."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for environment, region, folder in places(found):
        package(environment, region)
        folder.mkdir(parents=True)
        for file in (PACKAGED, CONFIGURATION):
            shutil.copy(file, folder / file.name)
        _preview(found, environment, region, folder / "preview.txt")


def _preview(found: Settings, environment: str, region: str, output: Path) -> None:
    done = _as_preview(found, environment, region, "preview", "--output", str(output))
    if done != 0:
        raise PackageError(f"what would change in {environment} ({region}) cannot be deployed so")


def _as_preview(found: Settings, environment: str, region: str, what: str, *more: str) -> int:
    """Exit status of `delivery.change_sets` under the preview role of a place."""
    role = found.role_arn(environment, "preview", region)
    return subprocess.run(
        [
            *(sys.executable, "-m", "delivery.as_role", role, "--"),
            *(sys.executable, "-m", "delivery.change_sets", what, environment),
            *("--region", region, *more),
        ],
        check=False,
    ).returncode


def review(found: Settings) -> None:
    """Look at what is to be executed in prod; raises PackageError for what may not be."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    told = FOLDER / "summary.txt"
    for environment, region, folder in places(found):
        if environment != "prod":
            continue
        files = ("--output", str(folder / "changes.txt"), "--summary", str(told))
        named = ("--name", f"{found.app}-delivery")
        if _as_preview(found, environment, region, "review", *named, *files) != 0:
            raise PackageError(f"{environment} ({region}) is not to be changed like that")
    words = " ".join(told.read_text(encoding="utf-8").split())[:_LONGEST_SUMMARY]
    variable = f"export REVIEW_SUMMARY={shlex.quote(words)}\n"
    (FOLDER / "review.env").write_text(variable, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0, 1 with the cause on standard error, or 2 for an argument nobody knows."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given not in ([], ["review"]):
        print(f"bundle: {given} is nothing to do; only review is", file=sys.stderr)  # noqa: T201
        return 2
    try:
        work = review if given == ["review"] else bundle
        work(settings.load())
    except (PackageError, SettingsError) as fault:
        print(f"bundle: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
