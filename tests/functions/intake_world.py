"""A run that waits for data, in moto, and the events that S3 would send about uploads into it."""

import copy
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from functions import approval_notifier, create_schema, data_intake
from signalbox.aws import clients

BUCKET = "signalbox-dev-workflow-123456789012-us-east-1"
GOOD = b"age,target\n" + b"".join(b"%d,%d.5\n" % (20 + i, i) for i in range(40))
OTHER_GOOD = b"target,age\n" + b"".join(b"%d.25,%d\n" % (i, 30 + i) for i in range(25))
BAD = b"age,target\n1,2\nold,3\n"


@dataclass
class Uploads:
    """Uploads into one run, and what came of them."""

    world: Any
    run_id: str
    sequence: int = 0
    published: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)

    def put(self, name: str, content: bytes, part: str = "source") -> dict[str, Any]:
        """Upload; the event that tells of it."""
        key = f"runs/{self.run_id}/{part}/{name}"
        stored = self.world.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        self.sequence += 1
        event = copy.deepcopy(self.world.event("data_intake"))
        event["detail"]["bucket"]["name"] = BUCKET
        event["detail"]["object"] |= {
            "key": key,
            "size": len(content),
            "etag": stored["ETag"].strip('"'),
            "version-id": stored["VersionId"],
            "sequencer": f"{self.sequence:018X}",
        }
        return event

    def deliver(self, event: dict[str, Any], request_id: str = "") -> str:
        """Give an event to data_intake; Lambda's own retries keep the request id."""
        context = SimpleNamespace(aws_request_id=request_id)
        outcome: str = data_intake.handler(event, context)["outcome"]
        return outcome

    def upload(self, name: str, content: bytes, part: str = "source") -> str:
        """Upload and deliver."""
        return self.deliver(self.put(name, content, part))

    def gate_waits(self, gate: str = "UploadSourceData", *, is_there: bool = True) -> None:
        """The pipeline has reached the gate, or has not yet."""
        self.world.pipeline.gate = gate if is_there else "Train"
        self.world.pipeline.gate_status = "InProgress"

    def notify(self, gate: str = "UploadSourceData") -> str:
        """EventBridge tells that the gate waits."""
        event = self.world.event("approval_notifier")
        event["detail"] |= {"stage": gate, "action": gate}
        outcome: str = approval_notifier.handler(event, None)["outcome"]
        return outcome

    def told(self, kind: str = "quarantined") -> list[dict[str, Any]]:
        """What people were told about data, as the queue of the webhook gets it."""
        bodies = [json.loads(request["Message"]) for request in self.published]
        found = [json.loads(body["sqs"]) for body in bodies]
        return [message for message in found if message["kind"] == kind]

    @property
    def approvals(self) -> list[dict[str, Any]]:
        """What gates were answered."""
        return [request for kind, request in self.world.pipeline.answers if kind == "approval"]

    def history(self) -> list[dict[str, Any]]:
        """Decisions on data in the manifest."""
        entries: list[dict[str, Any]] = self.world.manifest(self.run_id)["history"]
        return [entry for entry in entries if entry["phase"].endswith("-data")]

    def profiles(self) -> dict[str, Any]:
        """The profiles of the run's data."""
        key = f"runs/{self.run_id}/report/data-profile.json"
        body = self.world.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        files: dict[str, Any] = json.loads(body)["files"]
        return files

    def keys(self, prefix: str) -> list[str]:
        """Current keys under a prefix of the run."""
        return [key for key in self.world.keys() if key.startswith(prefix)]  # noqa: SIM118


def waiting_run(world: Any, workload: dict[str, str], author: dict[str, Any]) -> Uploads:
    """A run released with this manifest, at its first gate; messages of refused data are kept."""
    world.put_archive({**workload, "manifest.json": json.dumps(author)})
    create_schema.handler(world.event("create_schema"), None)
    world.pipeline.answers.clear()
    keys = world.keys()
    uploads = Uploads(world, next(k for k in keys if k.endswith("/manifest.json")).split("/")[1])
    clients.sns().meta.events.register_first(
        "before-call.sns.Publish", lambda params, **_: _publish(uploads, params)
    )
    uploads.gate_waits()
    return uploads


def _publish(uploads: Uploads, params: dict[str, Any]) -> Any:
    uploads.published.append(dict(params["body"]))
    return SimpleNamespace(status_code=200), {"MessageId": "1"}
