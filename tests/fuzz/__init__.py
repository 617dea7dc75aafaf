"""Run commands on hostile variants of every kind of file that seaice reads.

``targets`` lists the kinds of files and the commands that read them, ``variants`` changes
files, ``worker`` runs commands on variants and watches them, and ``runner`` starts workers
and collects findings::

    make fuzz                # thousands of variants
    make fuzz N=300 SEED=7   # fewer, and different ones

A variant depends only on the seed, the target and its number, so findings can be repeated.
"""
