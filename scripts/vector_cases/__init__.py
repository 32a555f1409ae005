"""The cases behind tests/vectors, a module a section of the specification."""
