"""The corpora researchers hold licences for, read in the layouts they are released in."""
