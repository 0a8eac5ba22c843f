"""What runs inside the sandbox: standard library only, imported there as a package of its own named `inside`."""
