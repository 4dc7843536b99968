"""What breaks a run, done to it on purpose, in numbers.

    python -m benchmarks.hardening                              # everything, small: ten minutes
    python -m benchmarks.hardening --part kills --count 1000 --out table.json

Parts: ``kills`` (SIGKILL at random moments of train, evaluate, export and study), ``damage`` (torn
and flipped bytes in a run's files), ``hostile`` (files that want to do harm), ``disk`` (full at
every size), ``lines`` (bad command lines).
Each try is a command in a process of its own, forked from one that has imported the frameworks.
What went wrong is printed, kept in ``--out``, and the exit code is 1.
"""
