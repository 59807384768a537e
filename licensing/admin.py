from collections.abc import Collection, Iterable
from ipaddress import ip_network
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.db.models import Q
from django.forms import Field
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from atelier.core.admin import PublishedModelAdmin, QuickModelAdmin, ReadOnly, id_of
from atelier.core.history import HistoryAdmin
from licensing import groups, importing, services, sql
from licensing.models import NetworkOverride, ProductLicence, RangeSource, Region, RegionGroup


class ByCodeOrName:
    """Search among the few hundred rows that there are."""

    search_help_text = "A code, or a part of the name"

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        return queryset.filter(Q(code__iexact=words) | Q(name__icontains=words))


class ChosenFromAList:
    """Regions and groups are few enough for a list to choose from."""

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Field | None:
        if db_field.name not in {"region", "group"}:
            return super().formfield_for_foreignkey(  # type: ignore[misc]
                db_field, request, **kwargs
            )
        kwargs["queryset"] = db_field.related_model._default_manager.order_by("name", "pk")
        return ModelAdmin.formfield_for_foreignkey(
            self,
            db_field,
            request,
            **kwargs,
        )


@admin.register(Region)
class RegionAdmin(ByCodeOrName, ReadOnly, QuickModelAdmin):
    list_display = ("code", "name", "id")
    ordering = ("code",)
    sortable_by = ("code", "id")
    fields = ("code", "name", "id")


@admin.register(RegionGroup)
class RegionGroupAdmin(ByCodeOrName, HistoryAdmin, PublishedModelAdmin):
    """Groups, with who changed which and when: licences that name one follow at once."""

    refused_at = {groups.GroupExists: "code"}
    list_display = ("code", "name")
    ordering = ("code",)
    sortable_by = ("code",)
    fields = ("code", "name", "members")
    single_line = ("code", "name")
    filter_horizontal = ("members",)

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> Any:
        kwargs["queryset"] = Region.objects.order_by("name")
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        return [groups.LISTS]

    def change_scopes(self, object_id: int) -> Iterable[str]:
        return groups.group_scopes(object_id)

    def deletion_scopes(self, ids: Collection[int]) -> Iterable[str]:
        return [groups.LISTS]

    def get_deleted_objects(
        self, objs: Iterable[models.Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Its members go with a group, whoever may delete it; licences stand in the way."""
        chosen = [cast(RegionGroup, one) for one in objs]
        in_use = [groups.in_use(one) for one in chosen if groups.is_used(one)]
        counts = {str(self.opts.verbose_name_plural): len(chosen)}
        return [str(one) for one in chosen], counts, set(), in_use

    def save_model(self, request: HttpRequest, obj: RegionGroup, form: Any, change: bool) -> None:
        if change and not form.changed_data:
            return
        fields: dict[str, Any] = {
            "code": obj.code,
            "name": obj.name,
            "member_ids": [region.pk for region in form.cleaned_data["members"]],
            "changed_by": _person(request),
        }
        if change:
            groups.update_group(group_id=obj.pk, **fields)
            return
        created = groups.create_group(**fields)
        obj.pk, obj._state.adding = created.pk, False

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The members are saved with the group."""

    def delete_model(self, request: HttpRequest, obj: RegionGroup) -> None:
        groups.delete_group(group_id=obj.pk, changed_by=_person(request))

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[RegionGroup]) -> None:
        for group in queryset.order_by("id"):
            groups.delete_group(group_id=group.pk, changed_by=_person(request))


@admin.register(NetworkOverride)
class NetworkOverrideAdmin(ChosenFromAList, QuickModelAdmin):
    list_display = ("network", "region", "note", "changed_at")
    list_select_related = ("region",)
    search_help_text = "An address or a network: overrides that hold it"
    fields = ("network", "region", "note")
    single_line = ("network", "note")

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        try:
            network = str(ip_network(words, strict=False))
        except ValueError:
            return queryset.none()
        return queryset.filter(pk__in=sql.overrides_holding(network))

    def save_model(
        self, request: HttpRequest, obj: NetworkOverride, form: Any, change: bool
    ) -> None:
        saved = services.set_override(
            network=obj.network,
            region_id=obj.region_id,
            note=obj.note,
            override_id=obj.pk if change else None,
        )
        obj.pk, obj._state.adding = saved.pk, False

    def delete_model(self, request: HttpRequest, obj: NetworkOverride) -> None:
        services.delete_overrides(override_ids=[obj.pk])

    def delete_queryset(
        self, request: HttpRequest, queryset: models.QuerySet[NetworkOverride]
    ) -> None:
        services.delete_overrides(override_ids=[row.pk for row in queryset])


@admin.register(RangeSource)
class RangeSourceAdmin(QuickModelAdmin):
    """Tables are imported and removed by commands. Staff say which is asked first."""

    list_display = ("name", "precedence", "layout", "ranges", "lines", "rejected", "loaded_at")
    ordering = ("precedence", "name")
    sortable_by = ()
    fields = (
        *("name", "precedence", "layout", "files", "lines", "unplaced", "rejected"),
        *("ranges", "loaded_at"),
    )
    readonly_fields = tuple(name for name in fields if name != "precedence")
    help_texts = {
        "precedence": "The table with the lowest is asked first. `manage.py remove_ip_ranges NAME`"
        " removes one.",
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A table that is being replaced is told of, and nothing is saved."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except importing.Locked as error:
            self.message_user(request, f"{error} Nothing was saved.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: RangeSource, form: Any, change: bool) -> None:
        importing.change_precedence(name=obj.name, precedence=obj.precedence)


@admin.register(ProductLicence)
class ProductLicenceAdmin(ChosenFromAList, HistoryAdmin, PublishedModelAdmin):
    """Licences, with who changed which and when."""

    refused_at = {
        services.UnknownProduct: "product",
        services.AmbiguousTerritory: "region",
        services.EndsTooEarly: "valid_until",
        services.LicenceOverlaps: "valid_from",
    }
    list_display = ("id", "product_link", "place", "effect", "valid_from", "valid_until", "note")
    list_select_related = ("product", "region", "group")
    search_help_text = "The id of a licence or of its product"
    ids_searched = ("id", "product_id")
    indexed_lookups = ("id", "id__exact", "product__id__exact")
    fields = ("product", "region", "group", "effect", "valid_from", "valid_until", "note")
    single_line = ("note",)
    help_texts = {
        "region": "A region or a group, not both.",
        "effect": "Any licence that allows a product somewhere, be it past, present or to come,"
        " hides it wherever none allows it.",
        "valid_from": "In UTC. The first moment when it holds.",
        "valid_until": "In UTC. The first moment when it holds no more; empty: it holds for good.",
    }

    @admin.display(description="product")
    def product_link(self, licence: ProductLicence) -> SafeString:
        url = reverse("admin:products_product_change", args=[licence.product_id])
        name = f"{licence.product} ({licence.product_id})"
        return format_html('<a href="{}" class="text-link">{}</a>', url, name)

    @admin.display(description="territory")
    def place(self, licence: ProductLicence) -> str:
        return str(licence.region or licence.group)

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.Model | None = None
    ) -> tuple[str, ...]:
        """A licence stays with its product."""
        return ("product",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        now = timezone.now().replace(microsecond=0)
        return {"valid_from": now, **super().get_changeform_initial_data(request)}

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        product_id = id_of(request.POST.get("product"))
        return [] if product_id is None else services.licence_scopes(product_id)

    def change_scopes(self, object_id: int) -> Iterable[str]:
        return self.deletion_scopes([object_id])

    def deletion_scopes(self, ids: Collection[int]) -> Iterable[str]:
        products = ProductLicence.objects.filter(pk__in=ids).values_list("product_id", flat=True)
        return sorted(
            {scope for product in set(products) for scope in services.licence_scopes(product)}
        )

    def save_model(
        self, request: HttpRequest, obj: ProductLicence, form: Any, change: bool
    ) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        by = _person(request)
        if change:
            if changes:
                services.update_licence(licence_id=obj.pk, changes=changes, changed_by=by)
            return
        created = services.create_licence(
            product_id=obj.product_id,
            region_id=obj.region_id,
            group_id=obj.group_id,
            effect=obj.effect,
            valid_from=form.cleaned_data["valid_from"],
            valid_until=obj.valid_until,
            note=obj.note,
            changed_by=by,
        )
        obj.pk, obj._state.adding = created.pk, False

    def delete_model(self, request: HttpRequest, obj: ProductLicence) -> None:
        services.delete_licence(licence_id=obj.pk, changed_by=_person(request))

    def delete_queryset(
        self, request: HttpRequest, queryset: models.QuerySet[ProductLicence]
    ) -> None:
        for licence in queryset.order_by("product_id", "id"):
            services.delete_licence(licence_id=licence.pk, changed_by=_person(request))


def _person(request: HttpRequest) -> AbstractBaseUser:
    """Whoever is signed in, as everybody in the admin is."""
    return cast(AbstractBaseUser, request.user)
