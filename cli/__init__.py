"""The `seaice` command; it wires the libraries and holds no logic of theirs."""
