"""The guides for those who build on the API, and the Python client; for everybody."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from credits import guides


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Where to begin."""
    return render(request, "credits/docs_index.html", {"guides": guides.GUIDES.values()})


@require_safe
def guide(request: HttpRequest, slug: str) -> HttpResponse:
    """One guide, of those there are: the address names a guide and never a file."""
    found = guides.GUIDES.get(slug)
    if found is None:
        raise Http404
    rendered = guides.render(found, base_url=settings.BASE_URL)
    context = {"guide": found, "guides": guides.GUIDES.values(), "rendered": rendered}
    return render(request, "credits/docs.html", context)


@require_safe
def python_client(request: HttpRequest) -> HttpResponse:
    """The Python client's one file, addressed to this server."""
    source = guides.python_client(base_url=settings.BASE_URL)
    return HttpResponse(
        source,
        content_type="text/x-python; charset=utf-8",
        headers={"Content-Disposition": f'inline; filename="{guides.CLIENT}"'},
    )
