# ruff: noqa - in the style of its authors, and run as it is
def lambda_handler(event, context):
    job = f"{event['project']}-{event['execution'][:20]}".lower()
    return {"job": job, "endpoint": f"{event['project']}-live"}
