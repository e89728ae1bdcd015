"""The REST API: JSON over HTTP for programs and for the page, on top of the library."""
