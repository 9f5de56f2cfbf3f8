"""Decides every request as AWS IAM would."""
