"""SageMaker's records: what its API creates, describes and lists."""
