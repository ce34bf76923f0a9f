"""The hardware a run uses: device, precision, memory, and how fast it is."""
