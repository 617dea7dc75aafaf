"""One command a module: arguments in, one library call, one line out."""
