from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from credits.models.words import Words


class UserManager(BaseUserManager["User"]):
    """Makes users known by their email address alone."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Save and return a user; the address is kept in lower case so that it is found again."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person who signs in, with an email address instead of a user name."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("email address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        ordering = ("email",)
        permissions = (("reset_second_factor", "Can take away a lost second factor"),)
        indexes = (
            GinIndex(
                Words("email", "first_name", "last_name"), fastupdate=False, name="users_by_words"
            ),
            models.Index(fields=("email",), condition=Q(is_staff=True), name="staff_users"),
            models.Index(fields=("email",), condition=Q(is_superuser=True), name="superusers"),
            models.Index(fields=("email",), condition=Q(is_active=False), name="inactive_users"),
        )
