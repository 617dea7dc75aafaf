"""The machine: processor, memory, locks, worker processes, whole files."""
