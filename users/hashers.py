"""How the secrets of clients are kept."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class SecretHasher(PBKDF2PasswordHasher):
    """One round: `register_client` takes no secret that could be guessed, so that a slow digest
    would protect nothing, and cost a third of a second for every token that is asked for."""

    algorithm = "client_secret"
    iterations = 1
