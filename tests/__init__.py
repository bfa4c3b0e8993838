"""A package, so that the tests folder that Ultralytics installs does not hide it."""
