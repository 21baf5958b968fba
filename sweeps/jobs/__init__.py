"""What a worker is told, what it does, and the cache that it stands on."""
