"""Who may sign in and who may call: the staff's accounts, tenants, clients and their tokens.

The models of accounts and clients are our own from the first migration on, since they cannot be
exchanged later. It answers /oauth and below.
"""
