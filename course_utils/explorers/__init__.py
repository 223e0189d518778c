"""Interactive pictures: a control panel over a function of `figures`, one file a topic."""
