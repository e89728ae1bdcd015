"""The words of docs/encoder-protocol.md, for both of its sides."""

PROTOCOL = 1
FINGERPRINT = "memery-fingerprint"
SHAPE = "memery-shape"
PICTURES, VECTORS = "application/vnd.memery.pictures", "application/vnd.memery.vectors"
FACTS_PATH, ENCODE_PATH = "/v1/model", "/v1/encode"
