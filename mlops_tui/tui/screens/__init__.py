"""The eight desks: a file and a .tcss each, over one base."""
