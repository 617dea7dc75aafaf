"""Many runs compared: Table 4, own variants, statistics, Figures 2 to 5."""
