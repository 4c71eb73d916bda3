"""The verbs of the command line, one file each: read options, call the package, show the result."""
