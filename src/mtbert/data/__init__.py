"""Files → examples → token batches, and the order in which batches are trained on."""
