"""What bandshift is measured against: each a function (evaluated, first, progress) -> probabilities.

Each predicts the examples from `first` on, one after the other in time: a prediction uses the labels that
were known when the UTC day (or the week, or the four weeks, where it says so) of the example began, and the
touchpoints up to the example's opening, nothing later. NaN where it cannot say.
"""
