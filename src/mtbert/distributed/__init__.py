"""The processes of a distributed run, and the collectives between them."""
