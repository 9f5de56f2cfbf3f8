"""Processing, training and transform jobs as subprocesses."""
