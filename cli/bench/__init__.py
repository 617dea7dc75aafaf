"""`seaice bench`: one module a step."""
