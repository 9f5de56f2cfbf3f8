"""EventBridge: rules, targets and schedules."""
