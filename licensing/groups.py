"""Every write of groups of regions.

What a group holds decides where products are shown whose licences name it, so a change commits
through the write door, under the scopes of all answers that these products take part in.
"""

from collections.abc import Collection

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError
from django.db.models import ProtectedError

from atelier.core.database import violated_constraint
from atelier.core.errors import Conflict, Invalid
from atelier.core.publishing import EPOCH, Publication, ScopeError, publish
from licensing import sql
from licensing.models import RegionGroup
from licensing.services import own_scopes

# Lists take part in every change; so even a group that no licence names has a scope.
LISTS = "catalogue"
# For the licences of more products all caches begin anew.
MOST_PRODUCTS = 1000
# Products that a refusal names.
NAMED = 10


class InvalidGroup(Invalid):
    code = "invalid_group"


class GroupExists(Conflict):
    code = "group_exists"


class GroupInUse(Conflict):
    code = "group_in_use"


class GroupChanged(Conflict):
    code = "group_changed"


def group_scopes(group_id: int) -> list[str]:
    """What a door must hold to change a group: the scopes of its products' licences, or of
    everything where they are many.
    """
    products = sql.products_of_group(group_id, most=MOST_PRODUCTS + 1)
    if len(products) > MOST_PRODUCTS:
        return [EPOCH]
    own = {scope for product in products for scope in own_scopes(product)}
    showing = {f"product:{other}" for other in sql.products_showing(*products)}
    return sorted({LISTS, *own, *showing})


def create_group(
    *,
    code: str,
    name: str,
    member_ids: Collection[int],
    changed_by: AbstractBaseUser | None = None,
) -> RegionGroup:
    """Raises InvalidGroup and GroupExists."""
    with publish(LISTS):
        return _save(RegionGroup(), code, name, member_ids, changed_by)


def update_group(
    *,
    group_id: int,
    code: str,
    name: str,
    member_ids: Collection[int],
    changed_by: AbstractBaseUser | None = None,
) -> None:
    """Change a group to this. Raises as create_group does, RegionGroup.DoesNotExist, and
    GroupChanged where a licence has begun to name it meanwhile. Locks the group.
    """
    with publish(*group_scopes(group_id)) as publication:
        # No licence can begin to name a locked group, so what is read now stays so.
        group = RegionGroup.objects.select_for_update().get(pk=group_id)
        _require_all(publication, group_id)
        _save(group, code, name, member_ids, changed_by)


def delete_group(*, group_id: int, changed_by: AbstractBaseUser | None = None) -> None:
    """Raises RegionGroup.DoesNotExist, and GroupInUse where a licence names it. Locks the group."""
    with publish(LISTS):
        group = RegionGroup.objects.select_for_update().get(pk=group_id)
        group._history_user = changed_by  # type: ignore[attr-defined]
        try:
            group.delete()
        except ProtectedError as error:
            raise GroupInUse(in_use(group)) from error


def is_used(group: RegionGroup) -> bool:
    """Whether a licence names it. Reads all licences."""
    return bool(sql.products_of_group(group.pk, most=1))


def in_use(group: RegionGroup) -> str:
    """Why a group that licences name cannot be deleted."""
    products = sql.products_of_group(group.pk, most=NAMED + 1)
    shown = ", ".join(map(str, products[:NAMED])) + (", ..." if len(products) > NAMED else "")
    return (
        f"Licences name {group}, of these products: {shown}."
        " Delete those licences or change their territory first."
    )


def _save(
    group: RegionGroup,
    code: str,
    name: str,
    member_ids: Collection[int],
    changed_by: AbstractBaseUser | None,
) -> RegionGroup:
    group.code, group.name = code.strip(), name.strip()
    if not group.code or not group.name or not member_ids:
        raise InvalidGroup("A group has a code, a name and regions.")
    is_new = group._state.adding
    # The members would write entries of history by themselves; one holds all of a change.
    group.skip_history_when_saving = True  # type: ignore[attr-defined]
    try:
        group.save()
    except IntegrityError as error:
        if violated_constraint(error) == "region_group_code_once":
            raise GroupExists(f"There is a group {group.code} already.") from error
        raise
    group.members.set(member_ids)
    del group.skip_history_when_saving  # type: ignore[attr-defined]
    group._history_user = changed_by  # type: ignore[attr-defined]
    group.save()
    if is_new:
        group.history.update(history_type="+")
    return group


def _require_all(publication: Publication, group_id: int) -> None:
    try:
        publication.require(*group_scopes(group_id))
    except ScopeError as error:
        raise GroupChanged("A licence has begun to name the group. Try again.") from error
