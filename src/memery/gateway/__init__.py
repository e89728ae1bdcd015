"""Every way in: the library, the command line, later REST and the web page."""
