"""The network of an environment's jobs, in its settings and in the template's parameters."""

import re
from pathlib import Path

import pytest

from delivery import settings
from delivery.samconfig import rendered
from delivery.toml_reading import SettingsError
from tests.contracts import repository
from tests.delivery.test_settings import change, folder

__all__ = ["folder"]

SUBNETS = '["subnet-0a1b2c3d4e5f60718", "subnet-1b2c3d4e5f607182"]'
NETWORK = f"""
[network]
isolation = true

[network.us-east-1]
subnets = {SUBNETS}
security_groups = ["sg-0a1b2c3d4e5f60718"]

[parameters]"""


def test_committed_settings_leave_jobs_in_the_network_of_sagemaker() -> None:
    names = {"JobSubnets", "JobSecurityGroups", "JobNetworkIsolation"}
    for found in settings.load(repository.SETTINGS).environments.values():
        assert not names & found.parameters.keys()


def test_a_network_becomes_parameters_of_the_template(folder: Path) -> None:
    change(folder / "dev.toml", "\n[parameters]", NETWORK)

    found = settings.load(folder)

    parameters = found.environments["dev"].parameters
    assert parameters["JobSubnets"] == "subnet-0a1b2c3d4e5f60718,subnet-1b2c3d4e5f607182"
    assert parameters["JobSecurityGroups"] == "sg-0a1b2c3d4e5f60718"
    assert parameters["JobNetworkIsolation"] == "true"
    assert parameters.keys() <= repository.template()["Parameters"].keys()
    assert 'JobSecurityGroups="sg-0a1b2c3d4e5f60718"' in rendered(found)
    assert "JobSubnets" not in found.environments["staging"].parameters


def test_each_region_has_its_own_subnets(folder: Path) -> None:
    change(folder / "prod.toml", '["us-east-1"]', '["us-east-1", "eu-west-1"]')
    other = NETWORK.replace("us-east-1", "eu-west-1").replace("0a1b", "ffff")
    other = other[other.index("[network.") :].partition("\n\n")[0]
    change(folder / "prod.toml", "\n[parameters]", f"\n{other}\n{NETWORK}")

    found = settings.load(folder)

    assert "subnet-ffff" in settings.parameters(found, "prod", "eu-west-1")["JobSubnets"]
    assert "subnet-0a1b" in settings.parameters(found, "prod")["JobSubnets"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('security_groups = ["sg-0a1b2c3d4e5f60718"]', "", "network.us-east-1.security_groups"),
        (f"subnets = {SUBNETS}", "", "network.us-east-1.subnets"),
        ("subnet-0a1b2c3d4e5f60718", "vpc-0a1b2c3d", "cannot be used; write subnet-..."),
        ("isolation = true", 'isolation = "yes"', "'yes' is neither true nor false"),
        ("[network.us-east-1]", "[network.eu-west-1]", "network.eu-west-1: unknown key"),
        ("isolation =", "isolated =", "did you mean isolation?"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(
    folder: Path, old: str, new: str, message: str
) -> None:
    change(folder / "dev.toml", "\n[parameters]", NETWORK)
    change(folder / "dev.toml", old, new)

    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        settings.load(folder)
    assert "dev.toml" in str(caught.value)


def test_a_region_without_a_network_is_refused_where_another_has_one(folder: Path) -> None:
    change(folder / "prod.toml", '["us-east-1"]', '["us-east-1", "eu-west-1"]')
    change(folder / "prod.toml", "\n[parameters]", NETWORK)

    with pytest.raises(SettingsError, match=r"network.eu-west-1: missing; a network for one"):
        settings.load(folder)


def test_the_parameters_may_not_be_written_beside_it(folder: Path) -> None:
    text = 'JobSubnets = "subnet-0a1b2c3d"'
    change(folder / "dev.toml", "\n[parameters]", f"\n[parameters]\n{text}\n#")

    with pytest.raises(SettingsError, match="JobSubnets: follows from the other settings"):
        settings.load(folder)
