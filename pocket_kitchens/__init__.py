"""Pocket Kitchens: a small drawn world in the forms of real datasets.

One domain is written as EPIC-KITCHENS-100, the other as Ego4D.
"""
