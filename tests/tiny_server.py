"""A small HTTP service for tests: it does what the path says. Standard library only."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_HOARD = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        handler = getattr(self, "answer_" + (parts.path.strip("/") or "home"), None)
        status, body = handler(asked) if handler else (404, "no such path")
        self.answer(status, body)

    def answer(self, status, body):
        payload = body.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def answer_home(self, _asked):
        return 200, f"{os.environ['SWITCHOVER_COLOUR']} {os.environ['SWITCHOVER_VERSION']}"

    def answer_health(self, _asked):
        return (503, "sick") if os.environ.get("SICK") else (200, "well")

    def answer_fail(self, _asked):
        return 500, "failed"

    def answer_slow(self, asked):
        time.sleep(float(asked["seconds"]))
        return 200, "slow"

    def answer_headers(self, _asked):
        return 200, json.dumps({name.lower(): value for name, value in self.headers.items()})

    def answer_environment(self, _asked):
        return 200, json.dumps(dict(os.environ))

    def answer_log(self, asked):
        print(asked["line"], flush=True)
        return 200, "logged"

    def answer_crash(self, asked):
        os._exit(int(asked["status"]))

    def answer_grow(self, asked):
        _HOARD.append(bytearray(os.urandom(1024)) * (1024 * int(asked["mb"])))
        return 200, "grown"

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = False


def main():
    if os.environ.get("CRASH_AT_START"):
        print("ERROR cannot start", flush=True)
        sys.exit(int(os.environ["CRASH_AT_START"]))
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("listening", flush=True)
    server.serve_forever(poll_interval=0.05)
    # Idle keep-alive connections would keep the threads; nothing is in flight any more.
    os._exit(0)


main()
