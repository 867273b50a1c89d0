"""
Exports: files of audiences, and of datasets, on schedule and on demand.

``due`` asks for runs, ``planning`` reads what one of them is about, and ``carrying`` writes its files.
"""
