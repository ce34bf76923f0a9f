"""Gradient surgery: the Gram matrix of the tasks' gradients → weights of their sum.

Every method that combines gradients linearly needs no more than their inner products, so the
gradients themselves are touched twice: once for the Gram matrix, once for the weighted sum.
"""

from mtbert.methods.aggregation.pcgrad import pcgrad, pcgrad_weights

__all__ = ["pcgrad", "pcgrad_weights"]
