"""The recogniser a deployed product needs, from pixels to answers, and its overlays."""
