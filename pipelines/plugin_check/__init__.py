"""What a class of a user's own must keep to be a method, encoder, detector or reader: tried on the class itself."""
