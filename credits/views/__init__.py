"""The pages of customers about their credits, one file per screenful."""
