"""CodeDeploy: traffic of Lambda aliases shifted from one version to the next."""
