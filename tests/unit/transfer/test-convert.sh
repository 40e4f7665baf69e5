#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck disable=SC2015 # "test && ok || fail": ok never fails
# import-raw of images that the real qemu-img has made: what is converted, and what is refused.
# Arguments: berth, berth-transfer.
set -u
berth=$(realpath "$1")
BERTH_TRANSFER=$(realpath "$2")
((EUID == 0)) || { echo "skipped: only root can import images"; exit 77; }
type -P qemu-img >/dev/null || { echo "skipped: there is no qemu-img here"; exit 77; }
work=$(mktemp -d /var/tmp/test-convert.XXXXXX)
trap 'rm -rf "$work"' EXIT
export BERTH_TRANSFER BERTH_POOL=$work/pool LC_ALL=C
mkdir "$work/pool"
chmod 755 "$work" # of what is in it, user nobody reads the sources
cd "$work" || exit 1
passed=0 failed=0

ok() {
        passed=$((passed + 1))
}

fail() {
        failed=$((failed + 1))
        printf 'FAIL %s\n' "$*"
}

# taken NAME ARGUMENT…: the import gives the same bytes as disk.raw, with its holes; root's alone
taken() {
        local name=$1 image=pool/$1.raw
        shift
        "$berth" import-raw -q "$@" "$name" </dev/stdin && ok || fail "importing $name"
        cmp disk.raw "$image" && ok || fail "$name has other bytes"
        (($(stat -c %b "$image") < 20000)) && ok || fail "$name has no holes: $(stat -c %b "$image") blocks"
        [ "$(stat -c '%a %u %g' "$image")" = '600 0 0' ] && ok || fail "$name: $(stat -c '%a %u %g' "$image")"
}

# refused WORDS ARGUMENT…: the import fails, says so, and leaves nothing
refused() {
        local words=$1 said
        shift
        said=$("$berth" import-raw "$@" bad 2>&1 </dev/null) && fail "$* was imported" || ok
        [[ $said == *"$words"* ]] && ok || fail "$*: '$said' lacks '$words'"
        [ -z "$(find pool -name '*bad*')" ] && ok || fail "$* leaves $(ls -A pool)"
}

truncate -s 64M disk.raw
printf 'some data' | dd of=disk.raw bs=1 seek=1000 conv=notrunc status=none
dd if=/dev/urandom of=disk.raw bs=1M seek=40 count=4 conv=notrunc status=none
for format in qcow2 vmdk vdi vhdx; do
        qemu-img convert -f raw -O "$format" disk.raw "disk.$format" || fail "qemu-img makes no $format"
        taken "$format" "disk.$format"
done
qemu-img convert -f raw -O vpc -o force_size=on disk.raw disk.vpc || fail "qemu-img makes no vpc"
taken vpc disk.vpc
qemu-img convert -c -f raw -O qcow2 disk.raw compressed.qcow2
taken compressed compressed.qcow2
qemu-img convert -f raw -O vmdk -o subformat=streamOptimized disk.raw stream.vmdk
taken stream stream.vmdk
# by a pipe, compressed once more, and what only its owner may read
taken pipe - < <(cat disk.vmdk)
gzip -k disk.qcow2
taken gzip disk.qcow2.gz
cp disk.vdi mine.vdi
chmod 600 mine.vdi
taken mine mine.vdi
"$berth" import-raw -q --force disk.qcow2 mine && ok || fail "replacing an image"

# what it would be made of is elsewhere
qemu-img create -q -f qcow2 -b /etc/passwd -F raw based.qcow2
refused "'based.qcow2' is a qcow2 image that is based on another image" based.qcow2
qemu-img create -q -f vmdk -b disk.vmdk -F vmdk based.vmdk
refused "is a vmdk image that is based on another image" based.vmdk
qemu-img create -q -f qcow2 -o "data_file=$work/data,data_file_raw=on" data.qcow2 10M
refused "is a qcow2 image that has its data in another file" data.qcow2
qemu-img create -q -f vmdk -o subformat=monolithicFlat flat.vmdk 10M
refused "whose contents are in other files" flat.vmdk
for _ in 1 2 3 4 5 6 7 8 9; do # on a busy machine it cannot measure how long a key takes
    qemu-img create -q -f qcow2 --object secret,id=s,data=x -o encrypt.format=luks,encrypt.key-secret=s locked.qcow2 10M && break
done
refused "is a qcow2 image that is encrypted" locked.qcow2
cp disk.vpc based.vpc
printf '\4' | dd of=based.vpc bs=1 seek=63 conv=notrunc status=none # differencing: zeros where its parent has data
refused "'based.vpc' is a vhd image that is based on another image" based.vpc

# what is cut, lies, or is too large
head -c 2000000 disk.qcow2 >cut.qcow2
refused "Checking 'cut.qcow2' failed: " cut.qcow2
head -c 300 disk.qcow2 >cut.qcow2
refused "failed" cut.qcow2
cp disk.qcow2 lie.qcow2
printf '\377\377\377\377' | dd of=lie.qcow2 bs=1 seek=36 conv=notrunc status=none
refused "has a table that is larger than can be" lie.qcow2
cp disk.qcow2 lie.qcow2
printf '\377\377\377\377' | dd of=lie.qcow2 bs=1 seek=60 conv=notrunc status=none # snapshots
refused "failed: " lie.qcow2
qemu-img create -q -f qcow2 huge.qcow2 1T
refused "larger than 10M, the limit of --max-size=" --max-size=10M huge.qcow2
refused "larger than 10M, the limit of --max-size=" --max-size=10M disk.qcow2.gz

echo "$passed passed, $failed failed, 0 skipped"
((failed == 0))
