"""The command line. Each command parses, calls one library function, and prints."""
