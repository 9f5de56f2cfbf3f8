"""One file per AWS service: which properties each type has, how it is made, changed and deleted."""
