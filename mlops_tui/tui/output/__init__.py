"""The output driver: what Textual draws goes into a grid of cells, and only the cells that changed go to the terminal."""
