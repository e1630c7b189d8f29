# SPDX-License-Identifier: Apache-2.0
"""The JSON API of a server, as curl would use it."""

import json
import urllib.error
import urllib.request

OXIA = "io.oxia.proto.v1.OxiaClient"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]

    def __repr__(self):
        return f"{self.status} {self.body!r}"


def request(server, path, body=None, headers=None, method=None, timeout=20):
    """Never raises for a status; the body may be a dict, a list, text or bytes."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{server.metrics_port}{path}", data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read().decode())


def call(server, method, message=None, service=OXIA, **options):
    return request(server, f"/api/{service}/{method}", {} if message is None else message, method="POST", **options)
