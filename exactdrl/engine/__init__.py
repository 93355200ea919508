"""Work in other processes: jobs on this machine or on a cluster, and the parts of one computation in order."""
