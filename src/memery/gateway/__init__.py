"""The entry points: library, command line, REST API and web page."""
