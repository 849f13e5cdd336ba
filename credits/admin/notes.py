"""What staff note down about an organization, on a tab of its page."""

from typing import TYPE_CHECKING
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from credits.admin import tabs
from credits.admin.base import StaffRequest, one_time_id
from credits.models import Note, Organization
from credits.models.notes import MAX_NOTE_LENGTH

if TYPE_CHECKING:
    from credits.admin.organizations import OrganizationAdmin


class NoteForm(forms.Form):
    text = forms.CharField(
        label="Add a note",
        max_length=MAX_NOTE_LENGTH,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Staff read it, customers never do. It stays as it is, with your name.",
    )
    note_id = one_time_id()


def show(
    model_admin: "OrganizationAdmin", request: StaffRequest, organization: Organization
) -> HttpResponse:
    form = NoteForm(request.POST or None)
    if request.method == "POST":
        if not request.user.has_perm("credits.add_note"):
            raise PermissionDenied
        if form.is_valid():
            _add(request, organization, form.cleaned_data["note_id"], form.cleaned_data["text"])
            return HttpResponseRedirect(request.path)
    notes = organization.notes.select_related("author")
    return tabs.page(
        model_admin,
        request,
        organization,
        "admin/credits/organization/notes.html",
        form=form if request.user.has_perm("credits.add_note") else None,
        turned=tabs.turn(request, notes),
    )


def _add(request: StaffRequest, organization: Organization, note_id: UUID, text: str) -> None:
    facts = {"organization": organization, "author": request.user, "text": text}
    _, is_new = Note.objects.get_or_create(
        pk=note_id, defaults={**facts, "created_at": timezone.now()}
    )
    if is_new:
        messages.success(request, "Added your note.")
    else:
        messages.warning(request, "This form was sent before, so nothing was added.")


TAB = tabs.Tab("notes", "Notes", ("credits.view_note",), show)
