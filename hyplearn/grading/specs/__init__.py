"""One module per lecture, named as the lecture is; each defines `SET`. See `hyplearn.grading.load_set`."""
