"""CodeBuild."""
