"""A small configuration as YAML, for the tests of reading one."""

SMALL = """\
seed: 3
tasks:
  film: {kind: classification, labels: [bad, good], train: a.csv, dev: b.csv}
  pair: {kind: pair_regression, train: c.csv, dev: d.csv}
"""
