"""`seaice bench`: one module per step, and the official code that they compare with."""
