"""What the tests share: commands, images, archives, servers and comparisons."""
