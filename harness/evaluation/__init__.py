"""One system on one test set: translations, scores, cross-entropy, speed."""
