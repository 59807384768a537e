"""What every admin of public data shares: quick at ten million rows, writes through the door."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import structlog
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_permission_codename
from django.db import IntegrityError, OperationalError, models
from django.forms import Field, ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold import paginator
from unfold.admin import ModelAdmin, TabularInline
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldForeignKeyRawIdWidget

from atelier.core.errors import AtelierError
from atelier.core.numbers import whole_number
from atelier.core.publishing import publish

logger = structlog.get_logger(__name__)

# Pages reach this far; whoever looks for an older row searches. A farther walk costs seconds.
FARTHEST_ROW = 100_000

DELETE_SELECTED = "delete_selected"
CHANGED_MEANWHILE = "Somebody is changing the same rows. Nothing was saved; try again."


def id_of(text: str | None) -> int | None:
    """The id that Django's forms and URLs would read from the text, None where it is none."""
    try:
        return int(text or "")
    except ValueError:
        return None


class InfinitePaginator(paginator.InfinitePaginator):
    """Previous and next, without a count. Unfold's templates know it by the name of its class."""

    count = FARTHEST_ROW


class QuickChangeList(ChangeList):
    """Orders by `sortable_by` only, whatever the query string says: those columns have an index."""

    def get_ordering_field(self, field_name: Any) -> Any:
        return super().get_ordering_field(field_name) if field_name in self.sortable_by else None


class EditedFields:
    """`single_line` names text fields with a one-line input, `ranges` the least and the most that
    numbers may be, as the constraints of their columns have it, `help_texts` what is said below
    fields; cleared nullable text becomes null.
    """

    single_line: Collection[str] = ()
    help_texts: Mapping[str, str] = {}
    ranges: Mapping[str, tuple[int, int | None]] = {}

    def formfield_for_dbfield(
        self, db_field: models.Field, request: HttpRequest, **kwargs: Any
    ) -> Field | None:
        if db_field.name in self.single_line:
            kwargs["widget"] = UnfoldAdminTextInputWidget()
        if db_field.name in self.help_texts:
            kwargs["help_text"] = self.help_texts[db_field.name]
        if db_field.name in self.ranges:
            kwargs["min_value"], kwargs["max_value"] = self.ranges[db_field.name]
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(db_field, models.TextField) and db_field.null and field is not None:
            field.empty_value = None
        return field


class BareRawIdWidget(UnfoldForeignKeyRawIdWidget):
    """A raw id without the name beside it, which would cost a query for each row."""

    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        return "", ""


class BareRawIds:
    """Every foreign key that can be edited is a raw id with a search window."""

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Field | None:
        kwargs["widget"] = BareRawIdWidget(
            db_field.remote_field,
            self.admin_site,  # type: ignore[attr-defined]
        )
        return super().formfield_for_foreignkey(  # type: ignore[misc]
            db_field, request, **kwargs
        )


class QuickInline(EditedFields, BareRawIds, TabularInline):
    """Rows of the edited object, a page of them at a time, in the order of their index."""

    extra = 0
    per_page = 50
    ordering = ("id",)
    hide_title = True


class ReadOnly:
    """To be looked at only."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class QuickModelAdmin(EditedFields, BareRawIds, ModelAdmin):
    """Lists a table of any size: no counts, ordered by an index, searched by indexed columns."""

    list_per_page = 50
    list_max_show_all = 0
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    # An action changes what its page shows, never "all rows".
    list_disable_select_all = True
    ordering: tuple[str, ...] = ("-id",)
    sortable_by: Collection[str] = ("id",)
    # Django shows a search box where there are search fields; what is searched is `ids_searched`.
    search_fields = ("id",)
    ids_searched: Collection[str] = ("id",)
    # What a query string may filter by; Django would allow any column.
    indexed_lookups: Collection[str] = ("id", "id__exact")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QuickChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in self.indexed_lookups

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        number = whole_number(term)
        if number is None:
            return self.search_words(queryset, term), False
        matches = models.Q()
        for name in self.ids_searched:
            matches |= models.Q(**{name: number})
        return queryset.filter(matches), False

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        return queryset.none()

    def response_action(
        self, request: HttpRequest, queryset: models.QuerySet
    ) -> HttpResponse | None:
        if request.POST.get("select_across", "0") not in {"", "0"}:
            self.message_user(request, "Actions work on selected rows only.", messages.ERROR)
            return None
        return super().response_action(request, queryset)


class PublishedModelAdmin(QuickModelAdmin):
    """Commits every POST that writes through one door, which Django's own transaction joins.

    The scopes have to be known before the form is read, so subclasses say them. An empty answer
    opens no door: the form is going to be refused, and PostgreSQL refuses the write if not.
    """

    # The fields at which the form says what a service refuses; the rest is said above it.
    refused_at: Mapping[type[AtelierError], str] = {}

    # What a page's address or form says, as a key; None for what is none.
    key_of: Callable[[str | None], Any] = staticmethod(id_of)

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        raise NotImplementedError

    def change_scopes(self, object_id: Any) -> Iterable[str]:
        raise NotImplementedError

    def deletion_scopes(self, ids: Collection[Any]) -> Iterable[str]:
        raise NotImplementedError

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        def page() -> HttpResponse:
            return super(PublishedModelAdmin, self).changeform_view(
                request, object_id, form_url, extra_context
            )

        if request.method != "POST":
            return page()
        try:
            if object_id is None or "_saveasnew" in request.POST:
                return self._through_the_door(request, self.addition_scopes(request), page)
            known = self.key_of(unquote(object_id))
            scopes = () if known is None else self.change_scopes(known)
            return self._through_the_door(request, scopes, page)
        except AtelierError as error:
            # The same form once more, as it was filled in.
            request.admin_refusal = error  # type: ignore[attr-defined]
            return page()

    def get_form(
        self,
        request: HttpRequest,
        obj: models.Model | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[ModelForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "admin_refusal", None)
        return form if refusal is None else _refused(form, refusal, self.refused_at)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        def page() -> HttpResponse:
            return super(PublishedModelAdmin, self).delete_view(request, object_id, extra_context)

        known = self.key_of(unquote(object_id))
        if request.method != "POST" or known is None:
            return page()
        try:
            return self._through_the_door(request, self.deletion_scopes([known]), page)
        except AtelierError as error:
            return self._refuse(request, error.message)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Only a confirmed deletion writes inside one door; other actions call services."""

        def page() -> HttpResponse:
            return super(PublishedModelAdmin, self).changelist_view(request, extra_context)

        confirmed = DELETE_SELECTED in request.POST.getlist("action") and "post" in request.POST
        if not confirmed:
            return page()
        ids = {self.key_of(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)} - {None}
        scopes = self.deletion_scopes(sorted(key for key in ids if key is not None))
        try:
            return self._through_the_door(request, scopes, page)
        except AtelierError as error:
            return self._refuse(request, error.message)

    def get_deleted_objects(
        self, objs: Iterable[models.Model], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """The objects, the numbers of rows that go with them, and what stands in the way.

        Django's own names every row, which for a much reviewed product is every review.
        """
        objects = list(objs)
        named = [f"{self.opts.verbose_name}: {one}" for one in objects]
        counts = {str(self.opts.verbose_name_plural): len(objects)}
        lacking: set[str] = set()
        protected: list[str] = []
        for relation in _relations(self.model):
            if relation.on_delete is models.DO_NOTHING:
                continue
            related = relation.related_model
            plural = str(related._meta.verbose_name_plural)
            rows = related._base_manager.filter(
                **{f"{relation.field.name}__in": [one.pk for one in objects]}
            )
            if relation.on_delete is models.PROTECT:
                if rows.exists():
                    protected.append(plural)
                continue
            if number := rows.count():
                counts[plural] = counts.get(plural, 0) + number
                if not _may_delete(request, related):
                    lacking.add(str(related._meta.verbose_name))
        return named, counts, lacking, protected

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._wrote(request)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._wrote(request)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        self._wrote(request)
        return super().log_deletions(request, queryset)

    def _wrote(self, request: HttpRequest) -> None:
        request.admin_wrote = True  # type: ignore[attr-defined]

    def _through_the_door(
        self, request: HttpRequest, scopes: Iterable[str], page: Callable[[], HttpResponse]
    ) -> HttpResponse:
        held = tuple(scopes)
        if not held:
            return page()
        try:
            with publish(*held):
                response = page()
                if not getattr(request, "admin_wrote", False):
                    raise _NothingWrittenError
        except _NothingWrittenError:
            return response
        except (AtelierError, IntegrityError, OperationalError) as error:
            logger.warning("the admin's write was refused", exc_info=error)
            # Reading the messages drops them: one of them says that all went well.
            list(messages.get_messages(request))
            if isinstance(error, AtelierError):
                raise
            return self._refuse(request, CHANGED_MEANWHILE)
        return response

    def _refuse(self, request: HttpRequest, told: str) -> HttpResponse:
        self.message_user(request, told, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())


def _refused(
    form: type[ModelForm], refusal: AtelierError, refused_at: Mapping[type[AtelierError], str]
) -> type[ModelForm]:
    """The form, which says what the service has refused."""

    class Refused(form):  # type: ignore[misc, valid-type]
        def clean(self) -> Any:
            cleaned = super().clean()
            field = refused_at.get(type(refusal))
            self.add_error(field if field in self.fields else None, refusal.message)
            return cleaned

    return Refused


class _NothingWrittenError(Exception):
    """Rolls back the door of a refused form, so that the caches keep their tags."""


def _may_delete(request: HttpRequest, model: type[models.Model]) -> bool:
    permission = get_permission_codename("delete", model._meta)
    return bool(request.user.has_perm(f"{model._meta.app_label}.{permission}"))


def _relations(model: type[models.Model]) -> Iterable[Any]:
    """The foreign keys that point at the model, hidden ones too."""
    return [
        field
        for field in model._meta.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete and (field.one_to_many or field.one_to_one)
    ]
