"""Every entry point: the library, the command line, the REST API and the web page."""
