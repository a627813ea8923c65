"""The page in the browser: a photograph, a video or a webcam in, action units, pictures and tables out."""
