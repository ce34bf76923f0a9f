"""Several tasks' gradients → one direction, from their Gram matrix."""
