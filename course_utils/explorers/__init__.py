"""Interactive pictures, one file a theme: `draw_X` makes the SVG of a state, `explore_X` a panel of widgets over it.

A panel is a box with its controls as attributes, and its picture as `box.picture`. What is computed comes from below.
"""
