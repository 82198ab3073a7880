SELECT probe_space()
