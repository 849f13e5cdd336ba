"""Somebody who tries the examples of a guide."""

import json
import re
from collections.abc import Iterator

from tests.credits.support import Api

# What each run makes anew. Wherever it stands in the guide, it has to be the same thing.
MADE_ANEW = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|org_\w{16}|ct_[\w.-]+|ck_\w{9,}")


def examples(guide: str) -> Iterator[tuple[str, str]]:
    """Each request of a guide with the answer that follows it."""
    blocks = re.findall(r"^```http\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    requests, answers = blocks[::2], blocks[1::2]
    assert all(re.match("GET|POST", request) for request in requests)
    assert all(re.match(r"\d{3}\n", answer) for answer in answers)
    return zip(requests, answers, strict=True)


def parsed(block: str) -> tuple[str, dict[str, str], object]:
    """The first line of an example, its headers and its body."""
    head, _, body = block.partition("\n\n")
    first, *headers = head.strip().splitlines()
    return first, dict(line.split(": ") for line in headers), json.loads(body or "{}")


class Reader:
    """Somebody who tries the examples of a guide in order, with ids of their own."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.mine: dict[str, str] = {}

    def send(self, request: str):
        for theirs, mine in self.mine.items():
            request = request.replace(theirs, mine)
        line, headers, body = parsed(request)
        method, path = line.split(" /api/v1/")
        return self.api.get(path) if method == "GET" else self.api.post(path, body, **headers)

    def expect(self, shown: object, found: object) -> None:
        """The same values, but for what is made anew: there, the same wherever it was the same."""
        if isinstance(shown, dict):
            assert isinstance(found, dict)
            assert list(shown) == list(found)
            for name in shown:
                self.expect(shown[name], found[name])
        elif isinstance(shown, list):
            assert isinstance(found, list)
            for one, other in zip(shown, found, strict=True):
                self.expect(one, other)
        elif isinstance(shown, str) and MADE_ANEW.fullmatch(shown):
            assert MADE_ANEW.fullmatch(str(found))
            assert self.mine.setdefault(shown, str(found)) == found
        else:
            assert shown == found


def try_all(reader: Reader, guide: str) -> None:
    for request, answer in examples(guide):
        response = reader.send(request)
        status, headers, body = parsed(answer)
        assert str(response.status_code) == status, f"{request}\n{response.text}"
        assert headers.items() <= dict(response.headers).items()
        reader.expect(body, response.json())
