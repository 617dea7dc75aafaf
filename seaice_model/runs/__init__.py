"""The folder of one training: settings, log, checkpoints, exports."""
