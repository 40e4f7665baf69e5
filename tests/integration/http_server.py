# SPDX-License-Identifier: LGPL-2.1-or-later
"""A web server that breaks off, lies and redirects, in a host without Python's own: http_server.py DIRECTORY HTTP-PORT HTTPS-PORT.

The first part of a path says how the file behind it is served; requests are told in DIRECTORY/log. DIRECTORY/www has the files, DIRECTORY/tls.pem the
certificate and its key."""
import os
import socket
import ssl
import sys
import threading
import time

TOP, PORT, TLS_PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
seen = {}
lock = threading.Lock()


def times(path):
    with lock:
        seen[path] = seen.get(path, 0) + 1
        return seen[path]


def read_request(stream):
    words = stream.readline().decode().split()
    headers = {}
    while (line := stream.readline().decode().strip()):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    path = words[1]
    if path.startswith("http://"):      # we are a proxy
        path = "/" + path.split("/", 3)[3]
    return path, headers


def head(status, *lines):
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *lines, "", ""]).encode()


def part(how, n, body, headers):
    """The first answers of a server that says 206 when it should not: half of the file is in the first."""
    size, tag = len(body), '"1"'
    if n == 1 or "range" not in headers and how != "unasked":
        return head("200 OK", f"Content-Length: {size}", f"ETag: {tag}") + (b"x" * (size // 2) if how == "mixes" else body[:size // 2])
    begin, end = int(headers.get("range", "bytes=0-")[6:].rstrip("-")), size
    if how == "mixes":              # of another file
        tag = '"2"'
    elif how == "parts":            # less than was asked for; the second has nothing
        end = begin + 1000 if n == 2 else size
        body = body if n == 2 else b""
    elif n == 2:                    # another part than was asked for; then all of it, for which no part was asked
        begin -= 1
    return head("206 Partial Content", f"ETag: {tag}", f"Content-Range: bytes {begin}-{end - 1}/{size}") + body[begin:end]


def answer(send, path, headers, tls):
    how, _, name = path.lstrip("/").partition("?")[0].partition("/")
    n = times(path)
    if how == "redirect":           # /redirect/COUNT/HOW/NAME
        count, _, rest = name.partition("/")
        return send(head("302 Found", "Content-Length: 0", f"Location: /{rest}" if count == "0" else f"Location: /redirect/{int(count) - 1}/{rest}"))
    if how == "to-plain":
        return send(head("301 Moved", "Content-Length: 0", f"Location: http://me:secret@127.0.0.1:{PORT}/file/{name}"))
    if how == "to-file":
        return send(head("302 Found", "Content-Length: 0", "Location: file:///etc/passwd"))
    if how == "error":
        return send(head(f"{name.partition('/')[0]} Oops", "Content-Length: 3") + b"no\n")
    if how == "endless":
        send(head(f"{name.partition('/')[0]} Oops", "Location: /"))
        while True:
            send(b"no" * 50000)
    if how == "busy" and n < 3:
        return send(head("503 Busy", "Retry-After: 0", "Content-Length: 0"))
    if how == "huge":
        return send(head("200 OK", f"Content-Length: {1 << 60}") + b"x" * 1000)
    try:
        with open(f"{TOP}/www/{name}", "rb") as f:
            body = f.read()
    except OSError:
        return send(head("404 Not Found", "Content-Length: 5") + b"gone\n")
    if n < {"unasked": 4, "parts": 4, "mixes": 3}.get(how, 0):
        return send(part(how, n, body, headers))
    tag = f'"{name}-{n if how == "changes" else 0}"'
    begin = 0
    if headers.get("range", "").startswith("bytes=") and headers.get("if-range") == tag:
        begin = int(headers["range"][6:].rstrip("-"))
    lines = [f"Content-Length: {len(body) - begin}"]
    if how != "short":
        lines.append(f"ETag: {tag}")
    if begin:
        lines.append(f"Content-Range: bytes {begin if how != 'shifts' else begin - 1}-{len(body) - 1}/{len(body)}")
    body = body[begin:]
    if how in ("short", "slow") or how in ("breaks", "changes", "shifts") and n < 3:
        body = body[:len(body) // 2]
    send(head("206 Partial Content" if begin else "200 OK", *lines) + body)
    if how == "slow":
        time.sleep(600)


def serve(connection, context):
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        path, headers = read_request(connection.makefile("rb"))
        with lock, open(f"{TOP}/log", "a") as f:
            f.write(f"{path} {headers.get('range', '-')}\n")
        answer(connection.sendall, path, headers, context is not None)
        if context:
            connection.unwrap()
        connection.shutdown(socket.SHUT_WR)
    except (OSError, ValueError, IndexError):
        pass
    finally:
        connection.close()


def listen(port, context):
    s = socket.create_server(("127.0.0.1", port), backlog=50)
    while True:
        connection, _ = s.accept()
        threading.Thread(target=serve, args=(connection, context), daemon=True).start()


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{TOP}/tls.pem")
threading.Thread(target=listen, args=(TLS_PORT, context), daemon=True).start()
os.close(0)
listen(PORT, None)
