"""Work in other processes: jobs on this machine's cores or on a cluster, and parts of one computation in order."""
