# SPDX-License-Identifier: MIT
# The hypervisor's nouns for gdb: `help user-defined` lists the commands. What is printed is as it stands at this moment, locks or not.

set confirm off
set pagination off

python
import gdb

VCPU_SPAN, VCPU_IN_SPAN = 0x4000, 0x3000
RUNSTATES = ["running", "runnable", "blocked", "offline"]
LIVES = ["", ", dying", ", dead: kept by others", ", gone"]
PORTS = ["closed", "unbound", "interdomain", "pirq", "virq", "ipi"]
TYPES = ["none", "L1", "L2", "L3", "L4", "segdesc", "writable"]


def value(expression):
    return gdb.parse_and_eval(expression)


def number(expression):
    return int(value(expression))


def bits(word):
    return [i for i in range(64) if word >> i & 1]


def all_domains():
    """By the table, so dead ones are there until their id is free."""
    ids, buckets = value("used_ids"), value("buckets")
    per_bucket = 4096 // 8
    for word in range(ids.type.range()[1] + 1):
        for bit in bits(int(ids[word])):
            d = buckets[(word * 64 + bit) // per_bucket][(word * 64 + bit) % per_bucket]
            if int(d):
                yield d


def vcpus_of(d):
    return [d["vcpu"][i] for i in range(int(d["vcpu_count"])) if int(d["vcpu"][i])]


def cpus():
    return [value("cpus")[i] for i in range(number("cpu_count"))]


def name(v):
    if not int(v):
        return "nobody"
    if not int(v["domain"]):
        return "idle%d" % int(v["cpu"]["id"])
    return "d%dv%d" % (int(v["domain"]["id"]), int(v["id"]))


def current():
    rsp = int(value("$rsp")) & 2**64 - 1
    pointer = gdb.lookup_type("struct vcpu").pointer()
    return gdb.Value((rsp & ~(VCPU_SPAN - 1)) + VCPU_IN_SPAN).cast(pointer)


def one_domain(argument):
    wanted = number(argument) if argument else 0
    for d in all_domains():
        if int(d["id"]) == wanted:
            return d
    raise gdb.GdbError("there is no domain %d" % wanted)


class Command(gdb.Command):
    def __init__(self, function):
        self.__doc__ = function.__doc__
        self.function = function
        super().__init__(function.__name__.replace("_", "-"), gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        self.function(argument)


@Command
def domains(_):
    """All domains, a line each; those that are dead but still referred to, too."""
    for d in all_domains():
        print("domain %d%s%s: %d vCPUs, %d pages of at most %d, %d lent; weight %d, cap %d, paused %d times, %d references" % (
            d["id"], LIVES[int(d["dying"])], ", shut down (reason %d)" % d["shutdown_reason"] if d["is_shut_down"] else "",
            d["vcpu_count"], d["pages"], d["max_pages"], d["lent_pages"], d["weight"], d["cap"], d["pause_count"], d["references"]))


@Command
def vcpus(_):
    """All vCPUs of all domains, a line each."""
    for d in all_domains():
        for v in vcpus_of(d):
            r, info = v["regs"], v["info"]
            print("%s %#x: %s%s on CPU %d%s%s, %s mode, rip %#x rsp %#x, cr3 %#x user %#x, pending %d mask %d, work %#x, vtime %d" % (
                name(v), int(v), RUNSTATES[int(v["runstate"])], "" if v["online"] else " (down)", v["cpu"]["id"],
                ", queued" if v["queued"] else "", ", loaded" if int(v["loaded_on"]) else "",
                "kernel" if v["kernel_mode"] else "user", r["rip"], r["rsp"], v["kernel_cr3"], v["user_cr3"],
                info["evtchn_upcall_pending"], info["evtchn_upcall_mask"], v["work"], v["vtime"]))


@Command
def vcpu(_):
    """The vCPU on whose hypervisor stack this CPU stands (`thread N` chooses the CPU)."""
    v = current()
    print("%s, at %#x" % (name(v), int(v)))
    print(v.dereference())


@Command
def runq(_):
    """What each CPU runs, and the queue of those that wait, first is next."""
    for c in cpus():
        print("CPU %d: runs %s, has %s loaded, slice ends at %d, took %d kicks" % (
            c["id"], name(c["running"]), name(c["loaded"]), c["slice_end"], c["kicks"]))
    v, n = value("run_queue"), 0
    while int(v) and n < 1000:
        print("%d. %s, vtime %d, may run on %#x%s" % (
            n + 1, name(v), v["vtime"], v["cpus"], ", loaded on CPU %d" % v["loaded_on"]["id"] if int(v["loaded_on"]) else ""))
        v, n = v["run_next"], n + 1
    print("%d wait" % n)


@Command
def timers(_):
    """Each CPU's timers, by deadline in ns of system time."""
    for c in cpus():
        t, n = c["timers"], 0
        print("CPU %d: the local APIC is set to %d" % (c["id"], c["timer_programmed"]))
        while int(t) and n < 1000:
            print("  %d %#x fires %s" % (t["deadline"], int(t), str(t["fire"]).split("<")[-1].rstrip(">")))
            t, n = t["next"], n + 1


@Command
def locks(_):
    """The locks that are held, and by whom where that is known."""
    slots = {int(v["slot"]) + 1: name(v) for d in all_domains() for v in vcpus_of(d)}
    held = [n for n in ("sched_lock", "domains_lock", "binding_lock") if number(n + ".held")]
    held += ["CPU %d's timers_lock" % c["id"] for c in cpus() if c["timers_lock"]["held"]]
    if number("control_holder"):
        held.append("control_lock by %s" % slots.get(number("control_holder"), "?"))
    for d in all_domains():
        who = "domain %d's " % d["id"]
        held += [who + l for l in ("page_lock", "l1_lock") if d[l]["held"]]
        held += [who + "event channels' " + l for l in ("lock", "fifo_lock") if int(d["evtchn"]) and d["evtchn"][l]["held"]]
        if int(d["grants"]) and d["grants"]["lock"]["held"]:
            held.append(who + "grant table's lock")
        if d["page_mutex_holder"]:
            held.append(who + "page mutex by %s" % slots.get(int(d["page_mutex_holder"]), "?"))
    print("\n".join(held) or "none is held")


@Command
def frame_of(argument):
    """frame-of MFN: the frame table's line of a machine frame."""
    mfn = number(argument)
    if mfn >= number("max_mfn"):
        raise gdb.GdbError("there is no frame %#x" % mfn)
    f = value("((struct frame *)0xffff828000000000)[%d]" % mfn)
    t = int(f["type"])
    kind = t >> 28
    print("mfn %#x: owner %#x, %d references, flags %#x, type %s%s%s count %d, stamp %d" % (
        mfn, f["owner"], f["count"], f["flags"], TYPES[kind] if kind < len(TYPES) else kind, " validated" if t >> 27 & 1 else "",
        " pinned" if t >> 26 & 1 else "", t & 0x3ffffff, f["stamp"]))


@Command
def ports(argument):
    """ports [DOMID]: the event channels of a domain, domain 0 if not told, that are not closed."""
    d = one_domain(argument)
    t, fifo = d["evtchn"], d["fifo"]
    print("domain %d: %d ports open, %s" % (d["id"], t["open"], "FIFO, %d pages of words" % fifo["word_pages"] if int(fifo) else "two-level"))
    for port in range(int(t["ports"])):
        e = t["bucket"][port // 256][port % 256]
        state = PORTS[int(e["state"])]
        if state == "closed":
            continue
        to = int(e["sends_to"])
        detail = {"unbound": "for domain %d" % (to & 0xffff), "interdomain": "to port %d of %s" % (to, name(e["notifies"])),
                  "virq": "%d" % to}.get(state, "")
        if int(fifo):
            per_page = 1024
            word = int(fifo["words"][port // per_page][port % per_page]) if port // per_page < int(fifo["word_pages"]) else 0
            marks = "".join(mark for bit, mark in ((31, " pending"), (30, " masked"), (29, " linked")) if word >> bit & 1)
        else:
            s = d["shared_info"]
            marks = "".join(mark for mark, field in ((" pending", "evtchn_pending"), (" masked", "evtchn_mask"))
                            if int(s[field][port // 64]) >> port % 64 & 1)
        print("  port %d: %s %s, tells vCPU %d%s" % (port, state, detail, e["vcpu"], marks))


@Command
def grants(argument):
    """grants [DOMID]: entries of a domain's grant table that are in use, and what it has mapped of others."""
    d = one_domain(argument)
    t = d["grants"]
    print("domain %d: version %d, %d frames, %d entries, %d claims" % (d["id"], t["version"], t["frames"], t["entries"], t["claims"]))
    for ref in range(int(t["entries"])):
        a = t["active"][ref // 512][ref % 512]
        if int(a["claims"]):
            print("  ref %d: mfn %#x used by domain %d, %d readers, %d writers" % (
                ref, a["mfn"], a["domid"], int(a["claims"]) & 0xffff, int(a["claims"]) >> 16))
    for handle in range(int(t["mappings"])):
        m = t["tracked"][handle // 256][handle % 256]
        if int(m["flags"]):
            print("  handle %d: ref %d of domain %d, mfn %#x, %s%s" % (
                handle, m["ref"], m["domid"], m["mfn"], "read-only" if int(m["flags"]) & 4 else "writable",
                ", for a device" if int(m["flags"]) & 1 else ""))


@Command
def trace_last(argument):
    """trace-last [N]: how much each CPU's trace buffer has, and its last N words (12)."""
    size = number("buffer_bytes")
    if not size:
        raise gdb.GdbError("there are no trace buffers")
    print("tracing is %s, events %#x" % ("on" if number("trace_mask") else "off", number("wanted")))
    for c in cpus():
        b = value("buffers")[int(c["id"])]
        words = (b["shared"] + 1).cast(gdb.lookup_type("unsigned int").pointer())
        end = int(b["prod"]) % size // 4
        n = min(number(argument) if argument else 12, end)
        print("CPU %d: cons %d, prod %d, %d lost since it was full: %s" % (
            c["id"], b["shared"]["cons"], b["prod"], b["lost"], " ".join("%08x" % int(words[i]) for i in range(end - n, end))))
end
