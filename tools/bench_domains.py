# SPDX-License-Identifier: MIT
"""The bench's part with more than one domain: scripts that domain 0 (build/pvcontrol) runs, and what their lines say.

Domains are numbered from 1 as they are created, so the scripts know their numbers.
"""
import os
import re
import statistics
import subprocess
import sys

SECTIONS = ("Domains and I/O", "Disks, networks, balloon")
OF_MANY = "create_tiny_growth"  # which a few domains do not show
TIMEOUT = 3000
CPU = "max,-smap,-rdrand,-rdseed"      # Linux would be different each time
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

# --- disks, networks, balloon: a Linux and a pvkernel, one after the other ---

IO_CONFIG = """name = "{name}"
kernel = "{kernel}"
{ramdisk}memory = {memory}
vcpus = 1
extra = '{extra}'
disk = ["ram:16M,,xvda,rw"]
vif = ["mac=00:16:3e:00:00:02"]
"""
IO_MEMORY, BALLOON = 256, 128   # MiB
IO_BEGIN = """consoles log on
ifconfig dom0 10.0.0.1/24
echod
netbench serve
"""
# The first warms the disk up, which is smaller than its uncounted part. For each row: the guest's command on a Linux, on a pvkernel; how many operations in the long form, in the short one; how many more go uncounted
IO_ROWS = (
    ("write_1m", "linux_block cost /dev/xvda write 1048576 {n}", "disk-bench xvda write 1048576 {n}", 100, 64, 1.25),
    ("read_1m", "linux_block cost /dev/xvda read 1048576 {n}", "disk-bench xvda read 1048576 {n}", 100, 4, 1.25),
    ("write_4k", "linux_block cost /dev/xvda write 4096 {n}", "disk-bench xvda write 4096 {n}", 2000, 100, 1.25),
    ("read_4k", "linux_block cost /dev/xvda read 4096 {n}", "disk-bench xvda read 4096 {n}", 2000, 100, 1.25),
    ("tcp_out", "linux_io 10.0.0.1 out {n}", "netbench 10.0.0.1 out {n}", 128, 8, 1),
    ("tcp_in", "linux_io 10.0.0.1 in {n}", "netbench 10.0.0.1 in {n}", 128, 8, 1),
    ("datagram", "linux_io 10.0.0.1 echo {n}", "netbench 10.0.0.1 echo {n}", 4000, 200, 1),
)
PINGS = 21
COST = re.compile(r"cost: .*?: (\d+) ns", re.M)
PING = re.compile(r"time=(\d+)\.(\d{6}) ms")
METER = re.compile(r"^meter cpu (\d+)((?: \w+ \d+)*)", re.M)


def io_guest(name, quick):
    """The commands for one guest; each row between == ROW and the next ==."""
    linux = name == "linux"
    out = [f"create {name}.cfg", f'console-grep {name} "{"is up" if linux else "xvda: "}" 100']
    if linux:
        out.append('ask linux "ifconfig eth0 10.0.0.2 netmask 255.255.255.0 up; echo e\'\'nd" "end"')
    out.append("sleep 1000")
    for row, on_linux, on_pvkernel, long, short, _ in IO_ROWS:
        line = (on_linux if linux else on_pvkernel).format(n=short if quick else long)
        out += [f"echo == {row}_{name}", "meter", f'ask {name} "{line}" "cost:" 100', "meter"]
    out += [f"echo == ping_{name}", f"ping 10.0.0.2 -c {PINGS} -i 10"]
    for row, target in (("balloon_down", IO_MEMORY - BALLOON), ("balloon_up", IO_MEMORY)):
        out += [f"echo == {row}_{name}", "meter", f"mem-set {name} {target}m", "sleep 5000", "meter", f"list {name}"]
    return "\n".join([*out, "echo ==", f"destroy {name}", "sleep 1000", ""])


def io_row(row, name, part, quick):
    """(cost, events per operation) of what was printed for a row; (None, {}): it went wrong."""
    meters = [(int(cpu), dict(zip(rest.split()[::2], map(int, rest.split()[1::2])))) for cpu, rest in METER.findall(part)]
    if row == "ping":
        times = [int(ms) * 1000000 + int(ns) for ms, ns in PING.findall(part)]
        return (statistics.median(times) if len(times) == PINGS else None), {}
    if len(meters) != 2:
        return None, {}
    if row.startswith("balloon"):
        target = IO_MEMORY - (BALLOON if row == "balloon_down" else 0)
        done = re.search(rf"^{name} +\d+ +{target} ", part, re.M)
        count, cost = BALLOON << 8, (meters[1][0] - meters[0][0]) / (BALLOON << 8)
    else:
        done = COST.search(part)
        _, _, _, long, short, more = next(r for r in IO_ROWS if r[0] == row)
        count, cost = (short if quick else long) * more, float(done[1]) if done else None
    events = {k: (meters[1][1][k] - v) / count for k, v in meters[0][1].items() if k in meters[1][1]}
    return (round(cost, 1) if done else None), events


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
        self.io_guests = ["pvkernel"] if quick else ["linux", "pvkernel"]
        self.scripts = {"domains": PAIR + MANY.format(count=20 if quick else 200),
                        "io": IO_BEGIN + "".join(io_guest(g, quick) for g in self.io_guests) + "exit 0\n"}
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
        self.prepare_io()
        if "builder" in self.scripts:
            self.prepare_linux()

    def prepare_io(self):
        folder, items = self.folder("io"), ["build/pvkernel"]
        ramdisk = {"linux": 'ramdisk = "initrd"\n', "pvkernel": ""}
        extra = {"linux": "console=hvc0 panic=-1 quiet", "pvkernel": 'ip="10.0.0.2/24"'}
        for guest in self.io_guests:
            write(folder, guest + ".cfg", IO_CONFIG.format(name=guest, kernel=guest, memory=IO_MEMORY, ramdisk=ramdisk[guest], extra=extra[guest]))
        if "linux" in self.io_guests:
            items += self.io_linux()
        self.call("tools/make-ramdisk", folder + ".ramdisk", folder, *items)

    def io_linux(self):
        """Debian's cloud kernel and a ramdisk with its drivers and the two programs that measure."""
        sys.path.insert(0, os.path.join(self.root, "tests", "system"))
        import debian                       # which the short form does without
        kernel = debian.Linux(KERNELS["lz4"])
        drivers = f"lib/modules/{kernel.release}/kernel/drivers/"
        files = {"init": "tests/bench/linux_io_init", "busybox": debian.unpack("busybox-static", "bin/busybox"),
                 "linux_block": debian.compile_guest("linux_block.c", "-pthread"), "linux_io": debian.compile_guest("../bench/linux_io.c")}
        for module in ("block/xen-blkfront.ko", "net/xen-netfront.ko"):
            files[os.path.basename(module)] = debian.unpack("linux-image-" + kernel.release, drivers + module)
        initrd = os.path.join(self.out, "io.initrd")
        with open(initrd, "wb") as f:
            f.write(debian.archive((name, 0o100755, debian.read(path)) for name, path in files.items()))
        return [f"{kernel.vmlinuz}=linux", f"{initrd}=initrd"]

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
        memory = {"domains": ("2560", "128M"), "io": ("1024", "256M"), "builder": ("1024", "512M")}[script]
        if os.path.exists(log):
            os.unlink(log)
        subprocess.run(["tools/boot", "--quiet", "--hv", side, "--icount", "0", "--cpu", CPU, "--mem", memory[0],
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
                row, _, guest = name.rpartition("_")
                if script == "io" and row:
                    cost, events[name] = io_row(row, guest, part, self.quick)
                    costs.update({name: cost} if cost is not None else {})
                    continue
                mean, here = MEAN.search(part), HERE.search(part)
                if mean:
                    costs[name] = float(mean[1] or mean[2])
                if here:
                    sides = 2 if name != "switch_yield" else 1
                    events[name] = {k: sides * float(v) for k, v in zip(("cr3", "flush", "fault"), here.groups())}
        return costs, events
