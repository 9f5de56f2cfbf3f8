"""CloudFormation: stacks and change sets, carried out by the deployer."""
