"""From crops, labels and subjects to batches: manifests, folds, augmentation, loaders."""
