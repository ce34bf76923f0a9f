"""BERT and the heads on it: tensors → tensors."""
