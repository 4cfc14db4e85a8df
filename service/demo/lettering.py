"""Large letters, three lines high, for the one thing that is to be seen first: a date."""

from __future__ import annotations

from itertools import zip_longest

_PIXELS = {
    "0": "### #.# #.# #.# ###",
    "1": ".# ## .# .# .#",
    "2": "### ..# ### #.. ###",
    "3": "### ..# ### ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# ..# ..#",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    "A": "### #.# ### #.# #.#",
    "B": "##. #.# ##. #.# ##.",
    "C": "### #.. #.. #.. ###",
    "D": "##. #.# #.# #.# ##.",
    "E": "### #.. ##. #.. ###",
    "F": "### #.. ##. #.. #..",
    "G": "### #.. #.# #.# ###",
    "H": "#.# #.# ### #.# #.#",
    "I": "# # # # #",
    "J": "..# ..# ..# #.# ###",
    "L": "#.. #.. #.. #.. ###",
    "M": "#...# ##.## #.#.# #...# #...#",
    "N": "#..# ##.# #.## #..# #..#",
    "O": "### #.# #.# #.# ###",
    "P": "### #.# ### #.. #..",
    "R": "### #.# ##. #.# #.#",
    "S": "### #.. ### ..# ###",
    "T": "### .#. .#. .#. .#.",
    "U": "#.# #.# #.# #.# ###",
    "V": "#.# #.# #.# #.# .#.",
    "Y": "#.# #.# ### .#. .#.",
    " ": "... ... ... ... ...",
}
_BLOCKS = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}


def large(text: str) -> list[str]:
    """The text as three lines of blocks, each as wide as the others; it may hold digits and the letters of months."""
    glyphs = [_PIXELS[letter].split() for letter in text.upper()]
    rows = [".".join(row) for row in zip(*glyphs, strict=True)]
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue="." * len(rows[0]))
    return ["".join(_BLOCKS[upper + lower] for upper, lower in zip(*pair, strict=True)) for pair in pairs]
