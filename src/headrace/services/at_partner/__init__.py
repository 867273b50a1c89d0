"""
Audiences at the partner: made, renamed and deleted there as operators map, rename and unmap them here.

A row says how each stands (``store/partner_audiences.py``), and a run makes the partner agree with what is wanted:
``wanting`` says what that is, ``deciding`` what is next, ``events`` and ``contexts`` what a request says; ``carrying``
sends it, and ``recording`` writes down what came of it.
"""
