"""Everything that the delivery pipeline deploys, as one folder: packages, parameters, previews.

    python -m delivery.bundle

Leaves .aws-sam/delivery/staging/, prod/ and, for further regions, prod-REGION/, each with
packaged.yaml, template-configuration.json and preview.txt. Previews are made under the target's own
preview role, which can deploy nothing; code is uploaded as the caller.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from delivery import settings
from delivery.model import Settings
from delivery.package import CONFIGURATION, OUTPUT, PACKAGED, PackageError, package
from delivery.toml_reading import SettingsError

FOLDER = OUTPUT / "delivery"
ENVIRONMENTS = ("staging", "prod")


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
    role = found.role_arn(environment, "preview", region)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "delivery.as_role", role, "--"),
            *(sys.executable, "-m", "delivery.change_sets", "preview", environment),
            *("--region", region, "--output", str(output)),
        ],
        check=False,
    )
    if done.returncode != 0:
        raise PackageError(f"what would change in {environment} ({region}) cannot be said")


def main() -> int:
    """Exit status 0, or 1 with the cause on standard error."""
    try:
        bundle(settings.load())
    except (PackageError, SettingsError) as fault:
        print(f"bundle: {fault}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
