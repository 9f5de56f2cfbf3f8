"""SNS: what people are told about data that was refused."""

from signalbox.aws import clients
from signalbox.intake import Arrival

# Publish (API reference): a subject is ASCII and has fewer than 100 characters.
_SUBJECT_LIMIT = 99


def announce_quarantine(topic_arn: str, arrived: Arrival, findings: list[str]) -> None:
    """Tell the topic's subscribers which file was refused, why, and what to do."""
    listed = "\n".join(f"  - {sentence}" for sentence in findings)
    subject = f"Run {arrived.run}: uploaded data was refused"
    text = (
        f"{arrived.name} was uploaded as {arrived.part} data of run {arrived.run} and cannot be "
        f"used:\n\n{listed}\n\nThe gate stays closed. The file was moved to\n"
        f"s3://{arrived.bucket}/{arrived.quarantine_key}\n"
        f"Correct it and upload it again:\n\n"
        f"  signalbox upload {arrived.name} --run {arrived.run}"
        f"{' --inference' if arrived.part == 'inference' else ''}\n"
    )
    clients.sns().publish(TopicArn=topic_arn, Subject=subject[:_SUBJECT_LIMIT], Message=text)
