"""What crosses bandshift's borders: touchpoints in; scores, band changes and triggers out."""
