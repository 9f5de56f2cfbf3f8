"""What Step Functions has beyond moto: jobs, pace, checks of definitions."""
