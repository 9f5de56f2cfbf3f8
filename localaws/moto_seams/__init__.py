"""Every private name of moto that is touched, a file for each part."""
