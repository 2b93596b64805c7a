# SPDX-License-Identifier: MIT
"""What a machine's console has shown, as the tests read it."""
import re

# A line of the hypervisor's is whole, but may come in the middle of one that a domain prints in several pieces.
OWN_LINE = re.compile(r"^(.*?)\((?:PV|XEN)\) .*\n", re.M)


def of_domains(text):
    """Without the hypervisor's own lines: what they cut is whole again."""
    return OWN_LINE.sub(r"\1", text)
