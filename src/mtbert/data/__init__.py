"""Data: files → rows → examples → token ids → packed batches."""
