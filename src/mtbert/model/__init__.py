"""The network: encoder, shared trunk and task heads; tensors → tensors."""
