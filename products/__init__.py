"""The catalogue: products, their features and relations, styles with photos and skus.

It answers /products and below, on the legacy API's contract.
"""
