# SPDX-License-Identifier: MIT
# The hypervisor's nouns for gdb: `help user-defined` lists the commands.

set confirm off
set pagination off

define domains
  set $d = domains
  while $d
    printf "domain %d%s: %d vCPUs, %lu pages of at most %lu\n", $d->id, $d->is_shut_down ? " (shut down)" : "", $d->vcpu_count, $d->pages, $d->max_pages
    set $d = $d->next
  end
end
document domains
All domains, a line each.
end

define vcpus
  set $d = domains
  while $d
    set $i = 0
    while $i < $d->vcpu_count
      set $v = $d->vcpu[$i]
      if $v
        printf "d%dv%d %p: %s mode, rip %#lx rsp %#lx, cr3 %#lx user %#lx, pending %d mask %d, run state %d\n", $d->id, $i, $v, $v->kernel_mode ? "kernel" : "user", $v->regs.rip, $v->regs.rsp, $v->kernel_cr3, $v->user_cr3, $v->info->evtchn_upcall_pending, $v->info->evtchn_upcall_mask, $v->runstate
      end
      set $i = $i + 1
    end
    set $d = $d->next
  end
end
document vcpus
All vCPUs of all domains, a line each.
end

define vcpu
  set $v = (struct vcpu *)(($rsp & ~0x3fffUL) + 0x3000)
  print *$v
end
document vcpu
The vCPU on whose hypervisor stack this CPU stands.
end

define frame-of
  set $f = (struct frame *)0xffff828000000000 + $arg0
  printf "mfn %#lx: owner %#x, %u references, flags %#x, type %u (%s%s) count %u, stamp %u\n", $arg0, $f->owner, $f->count, $f->flags, $f->type >> 28, ($f->type >> 27 & 1) ? "validated" : "", ($f->type >> 26 & 1) ? " pinned" : "", $f->type & 0x3ffffff, $f->stamp
end
document frame-of
frame-of MFN: the frame table's line of a machine frame.
end

define ports
  print *dom0->evtchn
end
document ports
Domain 0's event channels.
end

define grants
  print *dom0->grants
end
document grants
Domain 0's grant table.
end
