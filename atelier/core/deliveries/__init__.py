"""Signed deliveries: events POSTed to other services, at least once, by the worker.

`services` stores and attempts them, `signing` signs, `guard` says where they may go, `sending`
goes there. docs/deliveries.md tells receivers what to expect.
"""
