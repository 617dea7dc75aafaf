"""Maps against charts: scores, baselines, calibration, ice edge."""
