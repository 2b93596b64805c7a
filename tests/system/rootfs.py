# SPDX-License-Identifier: MIT
"""A Debian root filesystem, made by mmdebstrap once into build/linux, and the ramdisks from which a kernel finds it.

One image serves every role: as domain 0 of real Xen (xl, xenstored, blkback, netback), as a guest, and on the bare machine. What
runs in it is the script that the kernel's command line names as `task=`, from the folder tests/system/rootfs. The tests that use it
are made of chapters, each of which gives its verdicts.
"""
import fcntl
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import debian

PACKAGES = ["fio", "iperf", "iproute2", "udhcpc", "iputils-ping", "curl", "kmod", "e2fsprogs", "xen-utils-4.17"]
SCRIPTS = os.path.join(debian.HERE, "rootfs")
SIZE = "1200M"

# Folders and files of kernel/ that guests, hosts and the bare machine need. Their dependencies are found by depmod and modprobe.
MODULES = ["drivers/block/xen-blkfront.ko", "drivers/block/xen-blkback", "drivers/block/virtio_blk.ko", "drivers/block/brd.ko",
           "drivers/block/loop.ko", "drivers/net/xen-netfront.ko", "drivers/net/xen-netback", "drivers/net/virtio_net.ko",
           "drivers/net/net_failover.ko", "net/core/failover.ko", "drivers/virtio", "drivers/xen", "net/bridge", "net/802",
           "net/llc", "fs/ext4", "fs/jbd2", "fs/mbcache.ko", "lib", "crypto", "arch/x86/crypto"]
# What has to be loaded before the root can be mounted, in this order, where the kernel does not have it built in.
EARLY = ["crc16", "crc32c_generic", "crc32c-intel", "libcrc32c", "mbcache", "jbd2", "ext4", "virtio_ring", "virtio",
         "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk", "xen-blkfront"]

KERNEL = "linux-image-amd64"


def modules(release):
    """The folder that holds lib/modules of a kernel, unpacked once."""
    folder = os.path.join(debian.WORK, "modules-" + release)
    deb = debian.package("linux-image-" + release)
    with open(os.path.join(debian.WORK, "modules.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(folder):
            names = [f"./lib/modules/{release}/kernel/{m}" for m in MODULES]
            names += [f"./lib/modules/{release}/modules.{n}" for n in ("builtin", "builtin.modinfo", "order")]
            have = {n.rstrip("/") for n in debian.call(["sh", "-c", 'dpkg --fsys-tarfile "$0" | tar -t', deb]).split()}
            with tempfile.TemporaryDirectory(prefix="modules-", dir=debian.WORK) as work:
                tree = os.path.join(work, "tree")
                os.mkdir(tree)
                debian.call(["sh", "-c", 'deb=$0 to=$1; shift; dpkg --fsys-tarfile "$deb" | tar -x -C "$to" "$@"', deb, tree,
                             *(n for n in names if n in have)])
                os.rename(tree, folder)
    return folder


def sources():
    """What the system's apt is configured with, for Debian itself."""
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")) + ["/etc/apt/sources.list"]:
        if os.path.exists(path) and "debian.org" in open(path, encoding="utf-8").read():
            return path
    raise debian.Missing("apt has no entry of Debian's")


def build(target, release):
    with tempfile.TemporaryDirectory(prefix="root-", dir=debian.WORK) as work:
        root = os.path.join(work, "root")
        keep = ["--dpkgopt=path-exclude=/usr/share/%s/*" % n for n in ("doc", "man", "locale", "info")]
        debian.call(["mmdebstrap", "--mode=root", "--variant=minbase", "--include=" + ",".join(PACKAGES), *keep,
                     "--aptopt=APT::Install-Recommends \"false\"", "bookworm", root, sources()])
        shutil.copytree(os.path.join(modules(release), "lib", "modules"), os.path.join(root, "lib", "modules"), symlinks=True)
        debian.call(["chroot", root, "depmod", release])
        image = os.path.join(work, "image")
        debian.call(["truncate", "-s", SIZE, image])
        debian.call(["mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum_seed", "-L", "root", "-E", "lazy_itable_init=1,lazy_journal_init=1",
                     "-d", root, image])
        os.replace(image, target)


def rootfs():
    """The image's path and the kernel; whoever writes to it takes a copy or -snapshot."""
    kernel = debian.Linux(KERNEL)
    target = os.path.join(debian.WORK, "root.ext4")
    with open(os.path.join(debian.WORK, "root.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(target):
            build(target, kernel.release)
    return target, kernel


def early_modules(release):
    """(name, mode, content) of the modules to load first, numbered in their order."""
    found = {os.path.basename(p)[:-3]: p for p in glob.glob(modules(release) + "/lib/modules/*/kernel/**/*.ko", recursive=True)}
    return [("modules/%02d-%s.ko" % (i, name), 0o100644, debian.read(found[name])) for i, name in enumerate(EARLY) if name in found]


def make_initrd(target, release, extra=()):
    """Mounts the root that `root=` names and starts its task. The tasks are in here, so the image needs no change when they do."""
    files = [(name, 0o40755, b"") for name in ("bin", "dev", "proc", "sys", "root", "modules", "tasks")]
    files += [("init", 0o100755, debian.read(os.path.join(SCRIPTS, "init"))),
              ("bin/busybox", 0o100755, debian.read(debian.unpack("busybox-static", "bin/busybox")))]
    files += early_modules(release)
    files += [("tasks/" + n, 0o100755, debian.read(os.path.join(SCRIPTS, n))) for n in sorted(os.listdir(SCRIPTS)) if n != "init"]
    files += list(extra)
    with open(target, "wb") as f:
        f.write(debian.archive(files))
    return target


class Verdicts:
    """One TAP line each; below a bad one the end of what was printed."""
    def __init__(self):
        self.count = self.failed = 0

    def __call__(self, good, what, text=""):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}", flush=True)
        if not good:
            self.failed += 1
            print("".join(f"#   {line}\n" for line in text.splitlines()[-25:]), end="")


def run_chapters(chapters, words, machine, *rest):
    """Those whose title holds all words, as chapter(machine, verdict, ...); the exit status."""
    verdict = Verdicts()
    for title, chapter in chapters.items():
        if all(w in title for w in words):
            print("# " + title, flush=True)
            chapter(machine, verdict, *rest)
    print(f"1..{verdict.count}")
    print(f"{verdict.count - verdict.failed} passed, {verdict.failed} failed")
    return 1 if verdict.failed or not verdict.count else 0


def exit_with(main):
    """What Debian does not have here is a failure with a name."""
    try:
        sys.exit(main())
    except (debian.Missing, OSError) as e:
        print(f"not ok 1 - {e}\n0 passed, 1 failed")
        sys.exit(1)
