"""What the commands do, one file each; the command line only reads their options."""
