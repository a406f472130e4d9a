"""Each system against what its paper says of it."""
