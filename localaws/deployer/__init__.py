"""Turns template.yaml into resources of the laptop's AWS.

description → plan → execution, each readable alone:

    template    read the YAML, resolve parameters, check what CloudFormation checks at once
    packaging   local folders and files become artifacts in a bucket, as `sam package` does
    transform   the SAM transform, offline
    intrinsics  Ref, GetAtt, Sub and the other functions
    schema      which properties a resource may have
    graph       which resource needs which
    plan        what would change (frozen values; printing it and doing it are one path)
    execution   does it, in dependency order, and takes it back when a resource fails
    removal     deletes resources, each before all that it needs
    state       what the stack consists of, kept beside the resources
    resources/  one create, update and delete per resource type

Only AWS's public APIs are used (boto3 clients given by the caller), so IAM decides each call.
Imports nothing of moto and nothing of signalbox.
"""
