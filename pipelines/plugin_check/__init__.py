"""Check a user's own class against the contract of its kind.

The kinds are method, encoder, detector and reader. The checks run the class itself.
"""
