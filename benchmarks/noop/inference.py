"""Never called: the manifest's mode is `none`."""
