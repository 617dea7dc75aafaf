"""`seaice bench`: a module for each step, and re-created official code to compare with."""
