"""Several tasks' gradients → one direction."""
