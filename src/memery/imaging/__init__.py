"""Images: reading files, decoding, metadata, thumbnails, perceptual hashes."""
