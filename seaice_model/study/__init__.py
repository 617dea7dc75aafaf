"""Many runs compared: Table 4, variants of your own, statistics, Figures 2 to 5."""
