"""Where a product may be shown: regions, the networks they are recognised by, and licences.

It answers /licensing and below; products and reviews ask it about the visitor of a request.
"""
