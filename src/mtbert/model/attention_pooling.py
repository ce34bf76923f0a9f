"""Attention pooling: a sequence's vector is the mean of its tokens by learned attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mtbert.model.layer_mix import LayerMix

__all__ = ["AttentionPooling"]


class AttentionPooling(nn.Module):
    """One learned query attends to the tokens of each sequence, without padding.

    With the hidden states h_t of a sequence's tokens, special tokens included,

        a = softmax(h_t · query / sqrt(W)),    the vector is sum_t a_t h_t:

    scaled dot-product attention (Vaswani et al. 2017) whose keys and values are the states and
    whose query is a parameter, as the context vector of Yang et al. 2016 (Hierarchical Attention
    Networks, "Word Attention") is. Fresh, it is the mean.

    Attributes:
        query: `[W]`.
        mix: what makes one state of several layers' for each token; None where one is read.
    """

    def __init__(self, width: int, layers: int = 1) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(width))
        self.mix = LayerMix(layers) if layers > 1 else None

    @torch.no_grad()
    def start(self) -> None:
        """Every token counts the same."""
        self.query.zero_()
        if self.mix is not None:
            self.mix.start()

    def forward(self, tokens: Tensor, sequence_of: Tensor, sequences: int) -> Tensor:
        """One vector a sequence, `[S, W]`, in float32 or better.

        Args:
            tokens: `[T, W]`, or `[T, layers, W]`; each sequence has at least one.
            sequence_of: `[T]`, the sequence of each.
            sequences: S.
        """
        states = tokens.to(torch.promote_types(tokens.dtype, self.query.dtype))
        if self.mix is not None:
            states = self.mix(states)
        scores = states @ self.query / math.sqrt(states.shape[1])
        # The largest score of a sequence changes nothing but the range of the exponentials.
        lowest = scores.new_full((sequences,), -math.inf)
        largest = lowest.scatter_reduce(0, sequence_of, scores.detach(), "amax")
        weights = (scores - largest[sequence_of]).exp()
        totals = weights.new_zeros(sequences).index_add(0, sequence_of, weights)
        shares = weights / totals[sequence_of]
        sums = states.new_zeros(sequences, states.shape[1])
        return sums.index_add(0, sequence_of, states * shares.unsqueeze(1))
