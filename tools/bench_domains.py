# SPDX-License-Identifier: MIT
"""The bench's part with more than one domain: scripts that domain 0 (build/pvcontrol) runs, and what their lines say.

Domains are numbered from 1 as they are created, so the scripts know their numbers.
"""
import os
import re
import subprocess

SECTION = "Domains and I/O"
OF_MANY = "create_tiny_growth"  # which a few domains do not show
TIMEOUT = 400
GUEST = 'name = "{name}"\nkernel = "pvkernel"\nmemory = 8\nextra = \'{extra}\'\n'
ELF_MEMORY = (80, 128, 256)  # MiB; Debian's cloud kernel does not start in 64
KERNELS = {"lz4": "linux-image-cloud-amd64", "xz": "linux-image-amd64"}
LINUX = 'name = "{name}"\nkernel = "{kernel}"\nmemory = {memory}\n'

PAIR = """sleep 500
create a.cfg
create b.cfg
console-grep a "Type help"
console-grep b "Type help"
ask a "pingpong serve" answers
echo == event_roundtrip_control
pingpong a 1000
ask a "pingpong serve 2" answers
ask b "pingpong 1 1000" "pingpong: done"
echo == event_roundtrip_guests
console-grep b "pingpong: 1000"
console-grep b "pingpong: here"
send a "spawn yield 20000"
ask b "yield 10000" each
echo == switch_yield
console-grep b "yield: "
console-grep b "yield: here"
sleep 2000
destroy a
destroy b
echo ==
"""
# The sleeps: an idle hypervisor zeroes memory, on Paravane and on Xen.
MANY = "sleep 500\nbench-create create_entry entry.cfg create_tiny_entry\nsleep 500\nbench-domains tiny.cfg {count}\nexit 0\n"
BUILDER = "".join(f"sleep 500\nbench-create create_elf_{m} elf{m}.cfg\n" for m in ELF_MEMORY) + \
          "sleep 500\nbench-create create_bzimage_lz4 lz4.cfg\nsleep 500\nbench-create create_bzimage_xz xz.cfg\nexit 0\n"

LINE = re.compile(r"^bench (\w+) cost (\d+)((?: \w+ \d+)*)\s*$", re.M)
PARTS = re.compile(r"^== (\w+)$(.*?)(?=^==)", re.M | re.S)
MEAN = re.compile(r"mean (\d+), least|yield: (\d+) ticks")
HERE = re.compile(r"here cr3 ([\d.]+) flush ([\d.]+) fault ([\d.]+)")


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(text)


class Bench:
    """Makes the ramdisks once, then runs the scripts on a side and reads them."""

    def __init__(self, root, out, quick):
        self.root, self.out, self.quick = root, out, quick
        self.scripts = {"domains": PAIR + MANY.format(count=20 if quick else 200)}
        if not quick:
            self.scripts["builder"] = BUILDER

    def call(self, *command):
        done = subprocess.run(command, cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stdout.decode(errors='replace').strip()[-300:]}")

    def folder(self, script):
        path = os.path.join(self.out, script)
        os.makedirs(path, exist_ok=True)
        write(path, "autostart", self.scripts[script])
        return path

    def prepare(self):
        folder = self.folder("domains")
        for name, extra in (("a", ""), ("b", ""), ("tiny", ""), ("entry", 'run="entry"')):
            write(folder, f"{name}.cfg", GUEST.format(name=name, extra=extra))
        self.call("tools/make-ramdisk", folder + ".ramdisk", folder, "build/pvkernel")
        if "builder" in self.scripts:
            self.prepare_linux()

    def prepare_linux(self):
        folder, items = self.folder("builder"), []
        for packer, package in KERNELS.items():
            kernel = os.path.join(self.out, "vmlinuz." + packer)
            if not os.path.exists(kernel):
                self.call("tools/fetch-linux", package, kernel, os.path.join(self.out, "busybox"))
            write(folder, packer + ".cfg", LINUX.format(name=packer + "-", kernel=packer, memory=128))
            items.append(f"{kernel}={packer}")
        elf = os.path.join(self.out, "vmlinux")
        if not os.path.exists(elf):
            self.call("tools/unpack-kernel", os.path.join(self.out, "vmlinuz.lz4"), elf)
        for memory in ELF_MEMORY:
            write(folder, f"elf{memory}.cfg", LINUX.format(name=f"elf{memory}-", kernel="elf", memory=memory))
        self.call("tools/make-ramdisk", folder + ".ramdisk", folder, *items, elf + "=elf")

    def run(self, side, turn, script):
        log = os.path.join(self.out, f"{script}-{side}-{turn}.log")
        memory = ("2560", "128M") if script == "domains" else ("1024", "512M")
        if os.path.exists(log):
            os.unlink(log)
        subprocess.run(["tools/boot", "--quiet", "--hv", side, "--icount", "0", "--cpu", "max,-smap", "--mem", memory[0],
                        "--dom0-mem", memory[1], "--timeout", str(TIMEOUT), "--log", log, "--module",
                        os.path.join(self.out, script + ".ramdisk"), "build/pvcontrol"], cwd=self.root, check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not os.path.exists(log):
            return ""
        with open(log, encoding="utf-8", errors="replace") as f:
            return f.read().replace("\r", "")

    def measure(self, side, turn):
        """Costs by name, and events per operation by name."""
        costs, events = {}, {}
        for script in self.scripts:
            text = self.run(side, turn, script)
            for name, cost, rest in LINE.findall(text):
                costs[name] = float(cost)
                words = rest.split()
                if words:
                    events[name] = dict(zip(words[::2], map(float, words[1::2])))
            for name, part in PARTS.findall(text):
                mean, here = MEAN.search(part), HERE.search(part)
                if mean:
                    costs[name] = float(mean[1] or mean[2])
                if here:
                    sides = 2 if name != "switch_yield" else 1
                    events[name] = {k: sides * float(v) for k, v in zip(("cr3", "flush", "fault"), here.groups())}
        return costs, events
