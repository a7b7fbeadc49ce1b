"""Charts in pure Python: numbers in, lines of (text, role) spans out. The same code serves screens, prints and tests."""
