# SPDX-License-Identifier: MIT
"""Debian's kernels and busybox, fetched as packages into build/linux and never installed; ramdisks made of them."""
import fcntl
import glob
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "system")
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
WORK = os.path.join(BUILD, "linux")

# What a kernel prints when something is wrong with it or with what it runs on.
COMPLAINTS = re.compile(r"^.*(?:\bBUG\b:?|WARNING: CPU|Call Trace:|Oops|general protection|unchecked MSR|\bstall|soft lockup|"
                        r"Kernel panic|segfault at|bad page|Bad page| panic:).*$", re.M)


def machine_options(hv):
    """Of tools/boot, where several guests use vector registers: tests/system/README.md says why."""
    return ("--append", "xsave=0") if hv == "xen" else ()


class Missing(Exception):
    """What a run needs cannot be had."""


def call(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, stdin=subprocess.DEVNULL, **options)
    text = done.stdout.decode(errors="replace")
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])}: {(text.strip().splitlines() or ['no output'])[-1]}")
    return text


def apt(tool, *words):
    """Run apt-get or apt-cache by the system's package lists; if that fails, by lists of our own."""
    os.makedirs(os.path.join(WORK, "lists", "partial"), exist_ok=True)
    options = ["-o", "APT::Sandbox::User="]
    own = options + ["-o", f"Dir::State::Lists={WORK}/lists", "-o", f"Dir::Cache={WORK}/cache"]
    try:
        return call([tool, *options, *words], cwd=WORK)
    except Missing:
        call(["apt-get", *own, "update"], cwd=WORK)
        return call([tool, *own, *words], cwd=WORK)


def package(name):
    """The file of a package, downloaded once; two tests may want it at the same time."""
    pattern = os.path.join(WORK, name + "_*.deb")
    with open(os.path.join(WORK, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not glob.glob(pattern):
            apt("apt-get", "download", name)
    return max(glob.glob(pattern), key=os.path.getmtime)


def image_package(meta):
    found = glob.glob(os.path.join(WORK, "linux-image-[0-9]*.deb"))
    cloud = [f for f in found if ("-cloud-" in f) == ("-cloud-" in meta)]
    if cloud:
        return os.path.basename(max(cloud, key=os.path.getmtime)).split("_")[0]
    depends = re.search(r"Depends: (linux-image-\d\S+)", apt("apt-cache", "depends", meta))
    if not depends:
        raise Missing(f"{meta} depends on no kernel")
    return depends[1]


def unpack(name, path):
    """One file of a package; the rest is not kept."""
    deb = package(name)
    target = os.path.join(WORK, os.path.basename(path))
    if not os.path.exists(target) or os.path.getmtime(target) < os.path.getmtime(deb):
        with tempfile.TemporaryDirectory(prefix="unpacked-", dir=WORK) as folder:
            call(["dpkg", "-x", deb, folder])
            os.utime(os.path.join(folder, path))
            os.rename(os.path.join(folder, path), target)
    return target


class Linux:
    """One kernel's file as the package has it; of `meta` (linux-image-amd64, linux-image-cloud-amd64)."""

    def __init__(self, meta):
        os.makedirs(WORK, exist_ok=True)
        name = image_package(meta)
        self.release = name.removeprefix("linux-image-")
        self.vmlinuz = unpack(name, "boot/vmlinuz-" + self.release)


def archive(files):
    """A cpio archive (newc) of (name, mode, content)."""
    out = b""
    for number, (name, mode, content) in enumerate([*files, ("TRAILER!!!", 0, b"")], 1):
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        out += head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)
    return out


def compile_guest(source, *options):
    target = os.path.join(WORK, source.removesuffix(".c"))
    new = f"{target}.{os.getpid()}"
    call(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-static", *options, "-o", new,
          os.path.join(HERE, source)])
    os.replace(new, target)
    return target


def read(path):
    with open(path, "rb") as f:
        return f.read()


def guest_programs():
    """What guests run, compiled: {name in the ramdisk: file}."""
    return {"linux_guest": compile_guest("linux_guest.c", "-pthread"), "linux_probe": compile_guest("linux_probe.c", "-pthread"),
            "linux_guest32": compile_guest("linux_guest32.c", "-m32", "-ffreestanding", "-fno-pie", "-no-pie",
                                           "-fno-stack-protector", "-nostdlib")}


def make_ramdisk(target, init):
    """With busybox, guest_programs() and the script `init` of this folder as /init; made anew."""
    programs = {"init": os.path.join(HERE, init), "bin/busybox": unpack("busybox-static", "bin/busybox"), **guest_programs()}
    folders = [(name, 0o40755, b"") for name in ("bin", "dev", "proc", "sys", "tmp")]
    with open(target, "wb") as f:
        f.write(archive(folders + [(name, 0o100755, read(path)) for name, path in programs.items()]))
    return target
