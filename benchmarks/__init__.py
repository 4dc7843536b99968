"""Speed, memory and equality of slr_keras against its peers, one command a comparison.

    python -m benchmarks.step --model resnet18 --batch 32     # SLR step against PyTorch
    python -m benchmarks.attacks --model small_cnn            # PGD against ART, Foolbox, CleverHans
    python -m benchmarks.equality                             # the same numbers as PyTorch
    python -m benchmarks.pipeline                             # cost of the input pipeline

Peers are optional: ``pip install -r benchmarks/requirements.txt``.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
