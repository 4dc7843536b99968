"""The desktop app. No module here imports a framework: workers compute, this draws.

``models`` know no Qt, ``presenters`` decide and know no widgets, ``views`` draw.
"""
