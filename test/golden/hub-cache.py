"""What huggingface_hub puts into its cache, and what it says of ours: test/golden/hub-cache.json.

A server on this machine plays the hub, once for huggingface_hub and once for `bertgrad`, with the same model. Written down:
the cache of huggingface_hub, entry by entry, and that huggingface_hub and transformers read ours without a network.
test/interop/hub-cache.test.ts builds the first and reads it, and compares the second with what bertgrad makes now.

npm run build:ts && python3 test/golden/hub-cache.py     (huggingface_hub, transformers, torch)
"""
import hashlib
import http.server
import json
import os
import subprocess
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CLI = os.path.join(HERE, "..", "..", "dist", "cli", "main.js")
COMMIT = "c0ffee".ljust(40, "0")
REPO = "org/tiny"


def source(name):
    folder = os.path.join(HERE, "interop", "" if name == "vocab.txt" else "BertForMaskedLM")
    return open(os.path.join(folder, name), "rb").read()


FILES = {name: source(name) for name in ("config.json", "model.safetensors", "vocab.txt")}


def is_large(name):
    return name.endswith(".safetensors")


def git_sha(body):
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def etag(name):
    return hashlib.sha256(FILES[name]).hexdigest() if is_large(name) else git_sha(FILES[name])


def blob(name):
    return git_sha(b"a pointer") if is_large(name) else etag(name)


class Hub(http.server.BaseHTTPRequestHandler):
    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", headers.get("size", str(len(body))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith(f"/api/models/{REPO}/revision/"):
            lfs = lambda n: dict(lfs=dict(sha256=etag(n), size=len(FILES[n]), pointerSize=134))
            files = [dict(rfilename=n, size=len(b), blobId=blob(n), **(lfs(n) if is_large(n) else {}))
                     for n, b in FILES.items()]
            info = dict(_id="0", id=REPO, modelId=REPO, sha=COMMIT, private=False, tags=[], downloads=0, likes=0,
                        siblings=files)
            return self.reply(200, json.dumps(info).encode(), Content_Type="application/json")
        if path.startswith(f"/api/models/{REPO}/tree/"):
            lfs = lambda n: dict(lfs=dict(oid=etag(n), size=len(FILES[n]), pointerSize=134))
            entries = [dict(type="file", oid=blob(n), size=len(b), path=n, **(lfs(n) if is_large(n) else {}))
                       for n, b in FILES.items()]
            return self.reply(200, json.dumps(entries).encode(), Content_Type="application/json")
        name = path.rsplit("/", 1)[-1]
        if name not in FILES or "/resolve/" not in path:
            return self.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        self.reply(200, FILES[name], ETag=f'"{etag(name)}"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def tree(root):
    """Every entry below a folder: where a link leads, or the file of the model that a blob is, or what a text says."""
    names = {hashlib.sha256(body).hexdigest(): name for name, body in FILES.items()}
    entries = {}
    for folder, folders, files in os.walk(root):
        for name in files + [f for f in folders if os.path.islink(os.path.join(folder, f))]:
            path = os.path.join(folder, name)
            key = os.path.relpath(path, root)
            if os.path.islink(path):
                entries[key] = dict(link=os.readlink(path))
                continue
            body = open(path, "rb").read()
            known = names.get(hashlib.sha256(body).hexdigest())
            entries[key] = dict(file=known) if known else dict(text=body.decode())
    return dict(sorted(entries.items()))


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import huggingface_hub
    import transformers

    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = os.path.join(folder, "theirs"), os.path.join(folder, "ours")
        huggingface_hub.snapshot_download(REPO, cache_dir=theirs)
        environment = {**os.environ, "HF_HUB_CACHE": ours}
        command = ["node", CLI, "fill-mask", REPO, "the [MASK] sat", "--json"]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        server.shutdown()  # from here on nobody has a network
        server.server_close()

        environment = {**os.environ, "HF_HUB_CACHE": theirs, "HF_HUB_OFFLINE": "1"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        snapshot = huggingface_hub.snapshot_download(REPO, cache_dir=ours, local_files_only=True)
        for name, body in FILES.items():
            found = huggingface_hub.hf_hub_download(REPO, name, cache_dir=ours, local_files_only=True)
            assert found == os.path.join(snapshot, name) and open(found, "rb").read() == body
        info = huggingface_hub.scan_cache_dir(ours)
        model, loading = transformers.BertForMaskedLM.from_pretrained(
            REPO, cache_dir=ours, local_files_only=True, output_loading_info=True)
        assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
        repo = next(iter(info.repos))
        golden = dict(
            versions=dict(huggingface_hub=huggingface_hub.__version__, transformers=transformers.__version__),
            theirs=tree(theirs),
            ours=tree(ours),
            read=dict(snapshot=os.path.relpath(snapshot, ours), warnings=[str(w) for w in info.warnings], repo=repo.repo_id,
                      files=repo.nb_files, size=repo.size_on_disk, refs=sorted(repo.refs),
                      parameters=sum(p.numel() for p in model.parameters())))
    print(json.dumps(golden["read"]))
    with open(os.path.join(HERE, "hub-cache.json"), "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


main()
