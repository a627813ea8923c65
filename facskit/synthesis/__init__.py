"""From numbers to labelled faces: a morphable head, its expressions, its looks, and the renderer."""
