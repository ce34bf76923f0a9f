"""Many runs that belong together: planned, run, kept and compared. No torch."""
