"""The command line: data goes to standard output, everything else to standard error."""
