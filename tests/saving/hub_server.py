"""A stand-in of the Hugging Face Hub: what `huggingface_hub` asks of it, over HTTP."""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import huggingface_hub.constants
import yaml


class Hub:
    """Repositories by name, each a list of commits on its one branch.

    Attributes:
        commits: of a repository: hash and files, oldest first.
        private: names of repositories that want the token `good`.
        gated: names of repositories that nobody was given.
        failing: status of the answer to whatever is asked of a repository.
        false_sha: the commit that the server tells of every repository, if not the true one.
        lies: headers that go with every file instead of true ones; `more`: so many MiB come in the
            place of a file, without a length.
        sent: bytes of these.
        requests: method and path of every request, for the tests to look at.
    """

    def __init__(self):
        self.commits = {}
        self.private, self.gated, self.failing = set(), set(), {}
        self.blobs, self.requests = {}, []
        self.lies, self.sent, self.false_sha = {}, 0, None
        self.url = ""

    def commit(self, name, files):
        commits = self.commits.setdefault(name, [])
        oid = hashlib.sha1(f"{name} {len(commits)}".encode()).hexdigest()
        commits.append((oid, files))
        return oid

    def at(self, name, revision):
        """The commit that a revision names; `None` if there is none."""
        for oid, files in reversed(self.commits[name]):
            if revision in ("main", oid):
                return oid, files
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    @property
    def hub(self):
        return self.server.hub

    def answer(self, status=200, content=b"", **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code):
        self.answer(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def commit_of(self, name, revision):
        """The commit that is asked for, or `None` after an answer that says why not."""
        token = self.headers.get("Authorization")
        if name in self.hub.failing:
            self.answer(self.hub.failing[name], {"error": "no"})
        elif name not in self.hub.commits or (name in self.hub.private and token != "Bearer good"):
            self.fail(401, "RepoNotFound")
        elif name in self.hub.gated:
            self.fail(403, "GatedRepo")
        elif (commit := self.hub.at(name, unquote(revision))) is None:
            self.fail(404, "RevisionNotFound")
        else:
            return commit
        return None

    def do_GET(self):
        path = urlsplit(self.path).path
        self.hub.requests.append(f"{self.command} {path}")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/([^/]+))?", path):
            self.info(match[1], match[3] or "main")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            if commit := self.commit_of(match[1], match[2]):
                self.answer(content=[self.entry(*item) for item in commit[1].items()])
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.file(match[1], match[2], unquote(match[3]))
        else:
            self.fail(404, "NotFound")

    do_HEAD = do_GET

    def info(self, name, revision):
        if commit := self.commit_of(name, revision):
            siblings = [{"rfilename": n, "size": len(c)} for n, c in commit[1].items()]
            sha = self.hub.false_sha or commit[0]
            self.answer(content={"id": name, "sha": sha, "siblings": siblings})

    @staticmethod
    def entry(name, content):
        oid = hashlib.sha1(content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": oid}

    def file(self, name, revision, file):
        if not (commit := self.commit_of(name, revision)):
            return
        oid, files = commit
        if file not in files:
            self.fail(404, "EntryNotFound")
            return
        etag = f'"{hashlib.sha1(files[file]).hexdigest()}"'
        headers = {"ETag": etag, "X_Repo_Commit": oid} | self.hub.lies
        if "Location" in headers:
            self.answer(302, **headers)
        elif "more" in headers and self.command == "GET":
            self.send_response(200)
            self.send_header("ETag", etag)
            self.end_headers()
            for _ in range(headers["more"]):
                self.wfile.write(bytes(2**20))
                self.hub.sent += 2**20
            self.close_connection = True
        else:
            headers.pop("more", None)
            self.answer(content=files[file], **headers)

    def do_POST(self):
        path = urlsplit(self.path).path
        self.hub.requests.append(f"POST {path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/api/validate-yaml":
            self.validate(json.loads(body)["content"])
        elif self.headers.get("Authorization") != "Bearer good":
            self.fail(403, "Forbidden")
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            self.answer(content={"files": [self.mode(f) for f in json.loads(body)["files"]]})
        elif path.endswith(".git/info/lfs/objects/batch"):
            self.answer(content={"objects": [self.store(o) for o in json.loads(body)["objects"]]})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self.commit(match[1], [json.loads(line) for line in body.splitlines()])
        else:
            self.fail(404, "NotFound")

    def do_PUT(self):
        content = b""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers["Content-Length"]))
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.hub.blobs[oid] = content
        self.answer()

    def validate(self, content):
        """As the Hub does: a licence that it does not know is an error."""
        data = yaml.safe_load(content.split("---\n")[1])
        if data.get("license", "mit") not in ("mit", "apache-2.0"):
            self.answer(400, {"errors": [{"message": '"license" must be one of'}]})
        else:
            self.answer(content={"errors": [], "warnings": []})

    def create(self, wanted):
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.hub.commits:
            self.answer(409, {"url": f"{self.hub.url}/{name}"})
        else:
            self.hub.commit(name, {".gitattributes": b""})
            self.answer(content={"url": f"{self.hub.url}/{name}"})

    @staticmethod
    def mode(file):
        mode = "lfs" if file["path"].endswith(".h5") else "regular"
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}

    def store(self, wanted):
        upload = {"href": f"{self.hub.url}/lfs/{wanted['oid']}"}
        return {**wanted, "actions": {"upload": upload}}

    def commit(self, name, lines):
        files = dict(self.hub.commits[name][-1][1])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        oid = self.hub.commit(name, files)
        self.answer(content={"commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}"})


@contextmanager
def serve():
    """A hub on a port of its own, until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def connect(hub, monkeypatch, *, cache):
    """Has `huggingface_hub` ask this hub, with the token `good` and an empty cache."""
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "good")
