from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from credits.api.problems import PROBLEMS


@require_safe
def problem(request: HttpRequest, slug: str) -> HttpResponse:
    """What one of the API's problem codes means, at the address its `type` gives."""
    known = PROBLEMS.get(slug.replace("-", "_"))
    if known is None:
        raise Http404
    return render(request, "credits/problem.html", {"problem": known})
