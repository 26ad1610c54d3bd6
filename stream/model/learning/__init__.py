"""Learning from outcomes: the estimators behind the weights, pure and resumable bit for bit."""
