"""The five bands a probability falls into, and what the business does in each."""

from __future__ import annotations

from enum import StrEnum

UNSCORED = "unscored"
"""The word for a customer whom nothing has scored yet; a state of its own, never a probability of 0."""


class Band(StrEnum):
    """Five bands, lowest first."""

    VERY_LOW = "very low"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    VERY_HIGH = "very high"


BANDS: tuple[Band, ...] = tuple(Band)

ADVICE: dict[Band, str] = {
    Band.VERY_LOW: "Raise awareness: education and useful content; rebuild trust before selling.",
    Band.LOW: "Show the unique value and lower the barriers: time-limited or scarce offers.",
    Band.MODERATE: "Reassure: reviews and testimonials, simpler buying, guarantees.",
    Band.HIGH: "Make it personal: cross-sell and up-sell, loyalty rewards.",
    Band.VERY_HIGH: "Treat as VIP: exclusivity; ask for a referral or a review.",
}

CHURN_ADVICE: dict[Band, str] = {
    Band.VERY_LOW: "Loyal: exclusivity and VIP treatment; ask for a referral or a review.",
    Band.LOW: "Keep it personal: loyalty rewards, cross-sell.",
    Band.MODERATE: "Give a reason to come back: reviews, guarantees, simpler buying.",
    Band.HIGH: "At risk: call or write with the unique value and a time-limited offer.",
    Band.VERY_HIGH: "Nearly lost: ask what went wrong and rebuild trust; no hard selling.",
}
