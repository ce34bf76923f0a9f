"""The machine: device, precision, memory, and what they can do."""
