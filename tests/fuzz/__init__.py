"""Hostile variants of every kind of file that seaice reads, and what becomes of them.

``targets`` says what is attacked and by which commands, ``variants`` how, ``worker`` runs
commands on variants and watches them, ``runner`` starts workers and collects findings::

    make fuzz                # thousands of variants
    make fuzz N=300 SEED=7   # others

A variant is a function of the seed, the target and its number: a finding can be repeated.
"""
