"""How well memery finds: evaluation through the public library."""
