"""Interactive pictures, one file a theme: `draw_X` makes the SVG of a state, `explore_X` a panel of widgets over it.

A panel is a box with its controls as attributes, and its picture as `box.picture`. What is computed comes from below.
Where the arithmetic is small, `explore_X` is an `Explorer` of frame.py instead: X.js over the kit, run in the page.
"""
