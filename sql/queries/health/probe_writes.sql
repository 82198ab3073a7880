SELECT probe_writes()
