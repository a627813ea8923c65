"""From pixels to answers: the recogniser a deployed product needs, and its overlays."""
