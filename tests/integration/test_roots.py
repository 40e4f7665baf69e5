# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real Debian boots from each kind of root; its images are made by the distribution's own tools."""
import subprocess

import pytest

from hosts import local

POOL = "/var/lib/machines"
# what CI boots on each suite; the others are booted there too by tools/campaign, and each kind's mounts by test_disk.py
BRIEF = {"bookworm": ("gpt", "squashfs"), "forky": ("ext4", "erofs")}
REPART = {"1.conf": "[Partition]\nType=esp\nFormat=vfat\nSizeMinBytes=8M\nSizeMaxBytes=8M\n",
          "2.conf": "[Partition]\nType=root\nFormat=ext4\nCopyFiles=/\nSizeMinBytes=448M\nSizeMaxBytes=448M\n"}


def make(kind, tree, path):
    """An image of the tree."""
    if kind == "gpt":
        definitions = path.parent / "repart.d"
        definitions.mkdir(exist_ok=True)
        for name, text in REPART.items():
            (definitions / name).write_text(text)
        local("systemd-repart", "--empty=create", "--size=512M", f"--definitions={definitions}", f"--root={tree}", "--dry-run=no", path)
    elif kind == "squashfs":
        local("mksquashfs", tree, path, "-quiet", "-no-progress", "-comp", "lz4")
    elif kind == "erofs":
        local("mkfs.erofs", "--quiet", path, tree)
    else:
        local("truncate", "-s", "448M", path)
        local(*(("mkfs.btrfs", "-q", "--rootdir", tree) if kind in ("btrfs", "subvolume") else ("mkfs.ext4", "-q", "-F", "-d", tree)), path)


@pytest.mark.parametrize("kind", ["gpt", "ext4", "btrfs", "squashfs", "erofs", "block", "subvolume"])
def test_debian_boots(host, lab, kind, campaign, tmp_path, clean):
    if not campaign and kind not in BRIEF[host.suite]:
        return      # the other suite's
    image, path, options = tmp_path / "os.raw", f"{POOL}/os.raw", []
    make(kind, f"{lab}/{host.suite}", image)
    archive = subprocess.run(["tar", "-cS", "-C", tmp_path, "os.raw"], stdout=subprocess.PIPE, check=True).stdout
    host.run(f"mkdir -p {POOL} && tar -xS -C {POOL}", input=archive, timeout=120)
    image.unlink()
    root = ["-M", "os"]
    if kind == "block":
        root = ["-M", "os", "-i", host.run("losetup", "-f", "--show", path).out]
    elif kind == "subvolume":
        host.run(f"mkdir -p /srv/os && mount -o loop {path} /srv/os && rm {path}")
        root = ["-M", "os", "-D", "/srv/os"]
    elif kind in ("squashfs", "erofs"):
        options = ["--volatile=overlay"]
    p = None
    try:
        for user_namespace in ([], ["-U"]):     # what the first has written is the second's as well
            p = host.spawn("berth", "run", "-b", "--notify-ready=yes", *root, *options, *user_namespace)
            host.wait_for("berth show -p Ready --value os 2>/dev/null | grep -qx yes", 90)
            host.berth("exec", "os", "systemctl", "is-active", "multi-user.target")
            seen = host.berth("exec", "os", "sh", "-c", "findmnt -no FSTYPE,OPTIONS /; cat /etc/machine-id; cat /root/left 2>/dev/null; echo left >/root/left; stat -c %u /root/left /etc/passwd").stdout.splitlines()
            fs = {"gpt": "ext4", "block": "ext4", "subvolume": "btrfs"}.get(kind, kind)
            assert seen[0].split()[0] == ("overlay" if options else fs) and seen[0].split()[1].startswith("rw"), seen
            assert len(seen[1]) == 32 and seen[-2:] == ["0", "0"], seen
            assert ("left" in seen) == (bool(user_namespace) and not options), seen
            assert host.berth("stop", "os", timeout=100).returncode == 0
            p.communicate(timeout=60)
            assert p.returncode == 0
            p = None
    finally:
        host.berth("terminate", "os", check=False)
        if p:
            host.end(p)
        host.run(f"umount /srv/os; rmdir /srv/os; losetup -j {path} | cut -d: -f1 | xargs -r losetup -d; rm -f {path}", check=False)
