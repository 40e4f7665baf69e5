# SPDX-License-Identifier: LGPL-2.1-or-later
"""Downloads of images: berth pull-tar and pull-raw, from a server that does all that servers do wrong."""
import base64
import json
from pathlib import Path

import pytest

from test_transfer import MAKE, POOL, leftovers

HTTP, HTTPS = "http://127.0.0.1:18080", "https://127.0.0.1:18443"
KEYS = "/etc/systemd/import-pubring.gpg"
#: A key made by gpg for these tests alone, and what it signs: the checksum of an archive that is always the same.
KEY = ("mDMEXgvhABYJKwYBBAHaRw8BAQdAF5zEPV0sMfZYFZDdvYixzQwNFepyOd72San9zPHXUc20H2JlcnRoIHRlc3RzIDx0ZXN0c0BleGFtcGxlLmNvbT6IkAQTFggAOBYhBLbeCCeA"
       "kMCORLlA7S1G/i5Y7CCNBQJeC+EAAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEC1G/i5Y7CCN0R8BAMbX6LcOmgBCRD9Wp/PxvG84kqStQ6kRDw3NzwPfq9d8AQCe4A5T"
       "HKVvxTYwljOVeB3Mb9Rx7e9yKg1RNHkr3YkFCg==")
ENTRIES = [("etc/os-release", "f", ""), ("bin", "l", "usr/bin")]
SUM = "d8cdd451a0b43e309c02da5779be68fa1e7843494b345b9d88160897b4285f93"
LIST_SIGNATURE = ("iHUEABYIAB0WIQS23ggngJDAjkS5QO0tRv4uWOwgjQUCXgvhAAAKCRAtRv4uWOwgjZoMAP9lKVruP7cD2cz7d6Sss1KVJF89KoMW3aJAFZWgCou1rwD9HQkpM7MMiiXPDkg3fYHs"
                  "mXmWp5i+btt64y3XqdUkLwE=")
OWN_SIGNATURE = base64.b64encode(f"-----BEGIN PGP SIGNATURE-----\n\n{LIST_SIGNATURE}\n=oDIL\n-----END PGP SIGNATURE-----\n".encode()).decode()
#: Of the checksum alone, without a name.
BARE_SIGNATURE = ("LS0tLS1CRUdJTiBQR1AgU0lHTkFUVVJFLS0tLS0KCmlIVUVBQllJQUIwV0lRUzIzZ2duZ0pEQWprUzVRTzB0UnY0dVdPd2dqUVVDWGd2aEFBQUtDUkF0UnY0dVdPd2cKalJJRkFQ"
                 "OTNucHJVeXVTenZYcm9ITitDWTBxWEFvS0UzQzloNE9KU3Y2NElIRXJqK1FFQXFRRHc4R1VsZllJSApYTWpneU12UW4rWW9GdlVBUWJsZTVXSW1jSFppeEF3PQo9L0s4cQotLS0t"
                 "LUVORCBQR1AgU0lHTkFUVVJFLS0tLS0K")


@pytest.fixture
def server(host, clean):
    host.run("mkdir -p /srv/t/www/signed /srv/t/www/own /srv/t/www/plain /srv/t/tree; head -c 3000000 /dev/urandom >/srv/t/tree/blob; echo hello >/srv/t/tree/file; "
             "cd /srv/t/www/plain; tar cf t-big.tar -C /srv/t/tree .; sha256sum t-big.tar >SHA256SUMS; "
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=berth -addext subjectAltName=IP:127.0.0.1 "
             "-keyout /srv/t/key.pem -out /srv/t/cert.pem 2>/dev/null; cat /srv/t/cert.pem /srv/t/key.pem >/srv/t/tls.pem")
    host.run("python3 - >/srv/t/www/signed/t-web.tar", input=MAKE.replace("ENTRIES", repr(ENTRIES)))
    host.run("cp /srv/t/www/signed/t-web.tar /srv/t/www/own")
    host.write("/srv/t/www/signed/SHA256SUMS", f"{SUM}  t-web.tar\n")
    host.write("/srv/t/www/own/t-web.tar.sha256", f"{SUM}  t-web.tar\n")
    for path, text in (("signed/SHA256SUMS.gpg", LIST_SIGNATURE), ("own/t-web.tar.sha256.asc", OWN_SIGNATURE)):
        host.write(f"/srv/t/www/{path}", base64.b64decode(text))
    host.write("/srv/t/server.py", (Path(__file__).parent / "http_server.py").read_text())
    p = host.spawn("sh", "-c", "echo $$ >/srv/t/pid; exec python3 /srv/t/server.py /srv/t 18080 18443")
    host.wait_for("ss -tln | grep -q :18443 && ss -tln | grep -q :18080", 60)
    yield host
    host.run("kill -KILL $(cat /srv/t/pid)", check=False)
    host.end(p)
    host.run(f"rm -rf {POOL}/t-* {POOL}/.#t-* /srv/t {KEYS}; rm -rf /run/systemd/nspawn/locks/*t-*", check=False)


def refused(host, said, *args, **kwargs):
    """It fails with these words, and nothing of it stays."""
    r = host.berth("pull-tar", *args, check=False, **kwargs)
    assert r.returncode == 1 and said in r.err, r
    assert host.run(f"ls -d {POOL}/t-* 2>/dev/null || :").out == "" and leftovers(host) == "", r
    return r


def log(host):
    return host.run("cat /srv/t/log; : >/srv/t/log").out.splitlines()


def test_signatures(server):
    host = server
    host.write("/srv/t/www/plain/SHA256SUMS.gpg", base64.b64decode(LIST_SIGNATURE))
    key = "B6DE08278090C08E44B940ED2D46FE2E58EC208D"
    r = refused(host, f"The signature of '{HTTP}/file/signed/SHA256SUMS' is by a key that is not known (", f"{HTTP}/file/signed/t-web.tar")
    assert "import-pubring.gpg" in r.err and key[-16:] in r.err
    # not a byte of the archive was asked for
    assert not [line for line in log(host) if "t-web.tar -" in line]
    host.write(KEYS, base64.b64decode(KEY))
    r = host.berth("pull-tar", f"{HTTP}/file/signed/t-web.tar")
    assert r.out.startswith(f"{POOL}/t-web: ") and r.out.endswith("verified by signature"), r
    assert host.run(f"readlink {POOL}/t-web/bin").out == "usr/bin"
    r = host.berth("pull-tar", f"{HTTP}/file/signed/t-web.tar", check=False)
    assert r.returncode == 1 and "There is an image 't-web' already" in r.err and "--force" in r.err
    r = json.loads(host.berth("pull-tar", "--json=short", "--force", f"{HTTP}/file/own/t-web.tar?x=/y").stdout)
    assert (r["name"], r["path"], r["verified"]) == ("t-web", f"{POOL}/t-web", "signature")
    host.run(f"rm -r {POOL}/t-web")
    # a name is signed, too: with a checksum alone, that of another file would be as good
    host.write("/srv/t/www/own/t-web.tar.sha256", f"{SUM}\n")
    host.write("/srv/t/www/own/t-web.tar.sha256.asc", base64.b64decode(BARE_SIGNATURE))
    r = refused(host, f"'{HTTP}/file/own/t-web.tar.sha256' has a checksum, but not the name 't-web.tar'", f"{HTTP}/file/own/t-web.tar")
    assert "--verify=checksum" in r.err
    assert host.berth("pull-tar", "--verify=checksum", f"{HTTP}/file/own/t-web.tar").out.endswith("verified by checksum")
    host.run(f"rm -r {POOL}/t-web")
    host.write("/srv/t/www/own/t-web.tar.sha256", f"{SUM}  t-web.tar\n")
    # of something else; none at all; what was signed has another checksum
    refused(host, "does not match", f"{HTTP}/file/plain/t-big.tar")
    host.run("rm /srv/t/www/plain/SHA256SUMS.gpg")
    r = refused(host, f"There is no signature of '{HTTP}/file/plain/SHA256SUMS'", f"{HTTP}/file/plain/t-big.tar")
    assert "--verify=checksum" in r.err
    host.run("echo more >>/srv/t/www/signed/t-web.tar")
    refused(host, f"and not {SUM}", f"{HTTP}/file/signed/t-web.tar")
    host.write("/srv/t/www/own/t-web.tar.sha256.asc", "this is none\n")
    refused(host, f"The signature of '{HTTP}/file/own/t-web.tar.sha256' ", f"{HTTP}/file/own/t-web.tar")


def test_checksums(server):
    host = server
    url, right = f"{HTTP}/file/plain/t-big.tar", host.run("cut -c1-64 /srv/t/www/plain/SHA256SUMS").out
    wrong = "0" * 64
    # the first image of all, where nothing was made yet
    there = host.berth("pull-tar", "-q", "--verify=no", url, "t-first", env={"BERTH_POOL": "/srv/t/none/pool"})
    assert host.run("stat -c %a /srv/t/none/pool; cmp /srv/t/tree/blob /srv/t/none/pool/t-first/blob; rm -r /srv/t/none").out == "700", there
    assert host.berth("pull-tar", "--verify=checksum", url, "t-sum").out.endswith("verified by checksum")
    assert host.run(f"cmp /srv/t/tree/blob {POOL}/t-sum/blob", check=False).returncode == 0
    for option in (f"--sha256={right.upper()}", f"--verify={right}"):
        assert host.berth("pull-tar", "--force", option, url, "t-sum").out.endswith("verified by checksum")
    assert "verified" not in host.berth("pull-tar", "--force", "--read-only", "--verify=no", url, "t-sum").out
    host.run(f"chattr -i {POOL}/t-sum; rm -r {POOL}/t-sum; : >/srv/t/log")
    refused(host, f"'{url}' has the checksum {right}, and not {wrong}", f"--sha256={wrong}", url)
    assert log(host) == ["/file/plain/t-big.tar -"]
    refused(host, "There is no checksum of 't-none.tar'", "--verify=checksum", f"{HTTP}/file/plain/t-none.tar")
    refused(host, "the server has no such file (404)", "--verify=no", f"{HTTP}/file/plain/t-none.tar")
    host.write("/srv/t/www/plain/SHA256SUMS", f"{right}  t-big.tar\n{wrong}  t-big.tar\n")
    refused(host, "has two different checksums of 't-big.tar'", "--verify=checksum", url)
    # a disk image
    host.run(f"head -c 2M /dev/urandom >/srv/t/disk; xz -0 -c /srv/t/disk >/srv/t/www/plain/t-disk.raw.xz; sha256sum /srv/t/www/plain/t-disk.raw.xz | cut -c1-64 >/srv/t/www/plain/t-disk.raw.xz.sha256")
    r = host.berth("pull-raw", "--verify=checksum", f"{HTTP}/file/plain/t-disk.raw.xz")
    assert r.out.startswith(f"{POOL}/t-disk.raw: ") and r.out.endswith("verified by checksum"), r
    host.run(f"cmp /srv/t/disk {POOL}/t-disk.raw && rm {POOL}/t-disk.raw")
    # an empty disk, or one with a file system, begins with what ends an archive: the image that was there stays
    host.berth("pull-tar", "-q", "--verify=no", url, "t-old")
    host.run("cd /srv/t/www/plain; truncate -s 8M t-none.raw t-ext4.raw; mkfs.ext4 -q -O ^has_journal t-ext4.raw; head -c 1000 /srv/t/disk >t-odd.raw")
    for name, said in (("none", "There is nothing in the archive"), ("ext4", "is a disk image with ext4, not a tar archive")):
        r = host.berth("pull-tar", "--force", "--verify=no", f"{HTTP}/file/plain/t-{name}.raw", "t-old", check=False)
        assert r.returncode == 1 and said in r.err and "berth pull-raw" in r.err, r
        host.run(f"cmp /srv/t/tree/blob {POOL}/t-old/blob")
    assert "no multiple of 512 bytes" in host.berth("pull-raw", "--verify=no", f"{HTTP}/file/plain/t-odd.raw").err
    host.run(f"rm -r {POOL}/t-old {POOL}/t-odd.raw")
    # a password is not said, whatever fails
    secret = HTTP.replace("//", "//me:secret@")
    for verb, name, said in (("pull-tar", "plain/t-ext4.raw", "is a disk image with ext4"), ("pull-tar", "signed/SHA256SUMS", "is no tar archive"),
                             ("pull-raw", "plain/t-big.tar", "is a tar archive"), ("pull-tar", "plain/", "names no file"), ("pull-tar", "plain/t-none.tar", "404"),
                             ("pull-tar", ".tar", "makes no name")):
        verify = "--verify=checksum" if name == "plain/" else "--verify=no"
        r = host.berth(verb, verify, f"{secret}/file/{name}", *(() if name == ".tar" else ("t-hidden",)), check=False)
        assert r.returncode != 0 and said in r.err and f"'{HTTP}/file/{name}'" in r.err and "secret" not in r.err, r
    # what is no archive, but what it should be
    host.run("echo text >/srv/t/www/plain/t-text.tar")
    refused(host, "is no tar archive", "--verify=no", f"{HTTP}/file/plain/t-text.tar")
    refused(host, "is larger than 1M, the limit", "--verify=no", "--max-size=1M", url)
    refused(host, "is larger than", "--verify=no", f"{HTTP}/huge/x/t-huge.tar")


def test_broken_connections(server):
    host = server
    size = int(host.run("stat -c %s /srv/t/www/plain/t-big.tar").out)
    checksum = host.run("cut -c1-64 /srv/t/www/plain/SHA256SUMS").out
    # all at once, since each waits for a while before it goes on
    host.run("for how in breaks changes shifts busy unasked parts mixes; do "
             f"berth pull-tar --sha256={checksum} {HTTP}/$how/plain/t-big.tar t-$how >/srv/t/$how.out 2>&1 & done; wait")
    for how in ("breaks", "changes", "shifts", "busy", "unasked", "parts", "mixes"):
        assert host.run(f"cmp /srv/t/tree/blob {POOL}/t-{how}/blob", check=False).returncode == 0, host.read(f"/srv/t/{how}.out")
    asked = log(host)
    # half of it, half of the rest, and the end
    assert [line.split()[1] for line in asked if line.startswith("/breaks")] == ["-", f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]
    # the file has changed meanwhile: from its beginning
    assert [line.split()[1] for line in asked if line.startswith("/changes")][1] == f"bytes={size // 2}-"
    assert len([line for line in asked if line.startswith("/busy")]) == 3
    # what the server says of its parts is not believed: each is asked for, and one that is of no use is followed by the whole file
    for how, parts in (("unasked", ["-", "half", "-", "-"]), ("parts", ["-", "half", "more", "more"]), ("mixes", ["-", "half", "-"])):
        ranges = {"-": "-", "half": f"bytes={size // 2}-", "more": f"bytes={size // 2 + 1000}-"}
        assert [line.split()[1] for line in asked if line.startswith(f"/{how}")][:4] == [ranges[p] for p in parts], asked
    host.run(f"rm -r {POOL}/t-*")
    refused(host, "no connection", "--verify=no", "http://127.0.0.1:1/t-x.tar")
    refused(host, "the host was not found", "--verify=no", "http://nothing.invalid/t-x.tar")
    refused(host, "the server answers 403 (it is forbidden)", "--verify=no", f"{HTTP}/error/403/t-x.tar")
    # pages without an end: of errors, and of what is none
    refused(host, "the server has no such file (404)", "--verify=no", f"{HTTP}/endless/404/t-x.tar")
    refused(host, "the server sends more than 1M that is not of the file", "--verify=no", f"{HTTP}/endless/302/t-x.tar")


@pytest.mark.campaign
def test_never_complete(server):
    refused(server, "a part of the file is missing", "--verify=no", f"{HTTP}/short/plain/t-big.tar", "t-short")
    assert len(log(server)) == 5


def test_redirections_and_encryption(server):
    host = server
    trust = {"SSL_CERT_FILE": "/srv/t/cert.pem"}
    host.berth("pull-tar", "-q", "--verify=checksum", f"{HTTP}/redirect/3/file/plain/t-big.tar", "t-a")
    host.berth("pull-tar", "-q", "--verify=no", f"{HTTP}/redirect/9/file/plain/t-big.tar", "t-b")
    host.berth("pull-tar", "-q", "--verify=checksum", f"{HTTPS}/file/plain/t-big.tar", "t-c", env=trust)
    # the proxy of the environment is asked, for a host that nobody else knows
    host.berth("pull-tar", "-q", "--verify=no", "http://nothing.invalid/file/plain/t-big.tar", "t-d", env={"http_proxy": HTTP})
    host.run(f"test -e {POOL}/t-a -a -e {POOL}/t-b -a -e {POOL}/t-c -a -e {POOL}/t-d; rm -r {POOL}/t-*")
    refused(host, "more than 10 redirections", "--verify=no", f"{HTTP}/redirect/20/file/plain/t-big.tar")
    refused(host, "is redirected to 'file:///etc/passwd', which is neither http nor https", "--verify=no", f"{HTTP}/to-file/t-x.tar")
    refused(host, "is redirected from https to 'http://127.0.0.1:18080/", "--verify=no", f"{HTTPS}/to-plain/plain/t-big.tar", env=trust)
    refused(host, "the server's certificate is not trusted", "--verify=no", f"{HTTPS}/file/plain/t-big.tar")
    # nobody else is trusted instead of whom the environment names
    for variable in ("SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        r = refused(host, f"'/srv/t/none.pem', the file of certificates that ${variable} names, does not exist", "--verify=no", f"{HTTPS}/file/plain/t-big.tar",
                    env={**trust, variable: "/srv/t/none.pem"})
    try:    # many hosts; more than there may be
        host.run("cp /etc/hosts /srv/t/hosts; yes '127.0.0.2 some.host.invalid' | head -c 1000000 >>/etc/hosts")
        host.berth("pull-tar", "-q", "--verify=no", f"{HTTP}/file/plain/t-big.tar", "t-a")
        host.run(f"rm -r {POOL}/t-a; truncate -s 9M /etc/hosts")
        refused(host, "'/etc/hosts' is larger than 8M", "--verify=no", f"{HTTP}/file/plain/t-big.tar")
    finally:
        host.run("cat /srv/t/hosts >/etc/hosts")
    refused(host, "the proxy was not found", "--verify=no", f"{HTTP}/file/plain/t-big.tar", env={"http_proxy": "http://proxy.invalid:3128"})


def test_given_up(server):
    host = server
    with host.terminal(f"berth pull-tar --verify=no {HTTP}/slow/plain/t-big.tar t-slow; echo status $?") as t:
        t.expect(r"\[####.*\d+%.*left", 60)
        host.run("pkill -INT -x -o berth")
        t.expect("The transfer was given up", 60)
    p = host.spawn("berth", "pull-tar", "--verify=no", f"{HTTP}/slow/plain/t-big.tar", "t-slow")
    host.wait_for("grep -c /slow/plain/t-big.tar /srv/t/log | grep -qx 2", 60)
    # what downloads is nobody, with a root directory of its own, no right and a filter
    worker = host.wait_for("for p in $(pgrep -x berth-transfer); do grep -q '^Uid:.65534' /proc/$p/status && echo $p; done | grep .", 60).out
    status = host.read(f"/proc/{worker}/status")
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    assert host.environment or "Seccomp:\t2" in status
    assert set(host.run(f"cd /proc/{worker}/root; find . -type f").out.split()) <= {"./certificates.pem", "./etc/resolv.conf", "./etc/hosts", "./etc/host.conf", "./etc/gai.conf"}
    host.run("pkill -KILL -x -o berth")
    host.wait_for(f"! ls -d {POOL}/.#* {POOL}/t-* 2>/dev/null && ! pgrep -x berth-transfer", 60)
    host.end(p)
