"""Each system compared with the results of its paper."""
