"""How Signalbox itself gets to AWS: settings of the environments, templates, builds."""
