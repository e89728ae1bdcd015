"""The command line: words in, data on standard output, everything else on standard error."""
