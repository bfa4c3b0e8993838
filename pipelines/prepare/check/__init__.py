"""``prepare --check``: are the videos there, readable, as long and as fast as the annotation says?"""
