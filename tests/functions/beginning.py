"""A run at its model gate, put back as it was before each storm of events.

A new world takes longer than its storm: all clients are made anew, and a run is released.
"""

import copy
from dataclasses import dataclass
from typing import Any

from tests.functions import gate_stories as stories
from tests.functions.conftest import WORKFLOW


@dataclass(frozen=True)
class Beginning:
    """What was there before the first storm; everything else that is found is taken away."""

    world: Any
    arn: str
    objects: dict[str, bytes]
    fakes: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, world: Any, arn: str) -> "Beginning":
        """The world as it is now, with its only version."""
        get = world.s3.get_object
        objects = {key: get(Bucket=WORKFLOW, Key=key)["Body"].read() for key in world.keys()}  # noqa: SIM118
        return cls(world, arn, objects, copy.deepcopy(_fakes(world)))

    def again(self) -> None:
        """Forget a storm: what it wrote, said, started and decided."""
        for name, fields in _fakes(self.world).items():
            fields.clear()
            fields.update(copy.deepcopy(self.fakes[name]))
        stories.decide_in_registry(self.world, self.arn, "PendingManualApproval", "")
        self._put_objects_back()
        self.world.told()  # what a storm that failed has left in the queue

    def _put_objects_back(self) -> None:
        """No older version stays either, so that a bucket does not grow from storm to storm."""
        s3 = self.world.s3
        listed = s3.list_object_versions(Bucket=WORKFLOW)
        for found in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]:
            if "/code/" not in found["Key"]:
                s3.delete_object(Bucket=WORKFLOW, Key=found["Key"], VersionId=found["VersionId"])
        for key, content in self.objects.items():
            if "/code/" not in key:
                s3.put_object(Bucket=WORKFLOW, Key=key, Body=content)


def _fakes(world: Any) -> dict[str, dict[str, Any]]:
    return {"pipeline": vars(world.pipeline), "machines": vars(world.machines)}
