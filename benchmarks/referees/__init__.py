"""Our attacks against implementations by others: same weights, same images, one command each.

    python -m benchmarks.referees.torchattacks_autoattack   # AutoAttack, each attack and in total
    python -m benchmarks.referees.foolbox_attacks           # PGD, DeepFool, Carlini and Wagner
    python -m benchmarks.referees.art_attacks               # APGD, Square
    python -m benchmarks.referees.minimal_norms             # FMN, DDN, sigma-zero: distances
    python -m benchmarks.referees.cleanlab_ranking RUN...   # which labels are wrong: a ranking

Referees are optional: ``pip install -r benchmarks/requirements.txt``.
"""
