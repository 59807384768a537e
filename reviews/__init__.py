"""Reviews of products: the reviews, visitors' votes and reports, moderation, and the aggregates.

It answers /reviews and below, on the legacy API's contract.
"""
