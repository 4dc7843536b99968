"""Studies: a grid of runs, their evaluation, and the table and figures that come of it.

``plan`` reads a study file, ``work`` runs what is missing, ``results`` collects it, ``statistics``
judges differences, ``pages`` writes table, figure and page. The studies that ship are the TOML
files here; ``python -m slr_keras.study`` is the command.
"""
