"""Reading a request's body."""

from io import BytesIO
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from credits.api.problems import ApiProblem

MAX_BODY_BYTES = 1_000_000


class LimitedJSONParser(JSONParser):
    """JSON of at most one megabyte, and no deeper than the parser can go."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise ApiProblem("payload_too_large", f"Send at most {MAX_BODY_BYTES:,} bytes.")
        try:
            return super().parse(BytesIO(body), media_type, parser_context)
        except ParseError as error:
            raise ParseError("The body is not valid JSON. Check its quotes and commas.") from error
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
