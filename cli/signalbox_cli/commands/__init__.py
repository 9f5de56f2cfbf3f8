"""One module per group of subcommands; each is imported only when one of its commands runs."""
