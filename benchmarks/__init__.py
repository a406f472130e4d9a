"""How fast tf_bigan trains, beside its peers and beside what the machine could do at most."""
