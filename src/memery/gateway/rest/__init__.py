"""REST: JSON over HTTP for programs and for the page, over the same library as the command line."""
