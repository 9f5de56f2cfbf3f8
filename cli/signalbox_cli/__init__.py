"""The `signalbox` command: one client for the laptop's AWS and for AWS itself."""
