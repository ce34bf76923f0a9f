"""What a person sees of work that takes long, and how it is asked to stop."""
