"""CodePipeline."""
