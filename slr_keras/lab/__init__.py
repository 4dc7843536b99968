"""The app's second worker: keeps models loaded and attacks single images on request.

``python -m slr_keras.lab`` reads the commands ``Load``, ``PickImage``, ``RunAttack``, ``Sweep`` and
``Cancel`` of :mod:`slr_keras.protocol.commands` and answers with
:mod:`slr_keras.protocol.lab_events`, one JSON object a line. What it finds is what
``attack(model, x, y, seed=seed)`` gives, bit for bit (on JAX to rounding: XLA fuses single steps in
another way than a whole attack).
"""
