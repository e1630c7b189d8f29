# SPDX-License-Identifier: Apache-2.0
"""Certificates and tokens for tests, made on the spot by the openssl program."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess


def _openssl(*words, **options):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, **options).stdout


class Authority:
    """A CA of its own in a folder; make() signs certificates for names such as "DNS:localhost"."""

    def __init__(self, folder, name="test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = self.folder / "ca.key", self.folder / "ca.pem"
        _key(self.key)
        _openssl("req", "-x509", "-new", "-key", self.key, "-days", 2, "-subj", f"/CN={name}", "-out", self.certificate)
        self.made = 0

    def make(self, name, alternatives="DNS:localhost,IP:127.0.0.1", days=1):
        """(certificate, key) as paths; a negative number of days makes one that has ended."""
        self.made += 1
        stem = self.folder / f"{name.replace('*', 'any')}-{self.made}"
        key, request, certificate = stem.with_suffix(".key"), stem.with_suffix(".csr"), stem.with_suffix(".pem")
        _key(key)
        _openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", days,
                 "-extfile", extensions, "-out", certificate)
        return certificate, key


def _key(path):
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def replace(path, text):
    """As an operator does it: a new file moved over the old one."""
    beside = pathlib.Path(f"{path}.new")
    beside.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(beside, path)


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


SECRET = b"a secret of thirty-two bytes and more"


def key_set(secret=SECRET):
    return json.dumps({"keys": [{"kty": "oct", "kid": "h", "k": _base64url(secret)}]})


def jwt(claims, secret=SECRET, algorithm="HS256"):
    signed = _base64url(json.dumps({"alg": algorithm, "kid": "h"}).encode()) + "." + _base64url(json.dumps(claims).encode())
    made = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if algorithm == "HS256" else b""
    return signed + "." + _base64url(made)
