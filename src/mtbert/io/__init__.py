"""File I/O: atomic writes, bounded reads, hashes and manifests."""
